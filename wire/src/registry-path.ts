import { WireError } from "./wire-error.ts";

/** Where everything stands in ZooKeeper unless configured. */
export const defaultRoot = "/kafkaproxy";

/** The namespace unless configured. */
export const defaultNamespace = "default";

/** The group of proxies that a path is about. */
export interface RegistryTarget {
  /** An absolute ZooKeeper path, used as it is. Default: `defaultRoot`. */
  readonly root?: string;
  /** Default: `defaultNamespace`. */
  readonly namespace?: string;
  readonly topic: string;
  readonly consumerGroup: string;
}

/**
 * `<root>/<namespace>/<topic>/<consumerGroup>`: all that belongs to the group.
 *
 * @throws WireError `invalid-registry-path`, as all functions here.
 */
export function groupPath(target: RegistryTarget): string {
  const root = checkedRoot(target.root ?? defaultRoot);
  const namespace = encodePathSegment(target.namespace ?? defaultNamespace);
  const topic = encodePathSegment(target.topic);
  return `${root}/${namespace}/${topic}/${encodePathSegment(target.consumerGroup)}`;
}

/** `<group>/proxies`: the node that clients watch; its children are the proxies that serve. */
export function proxiesPath(target: RegistryTarget): string {
  return `${groupPath(target)}/proxies`;
}

/** `<group>/proxies/<instance>`: a proxy's own ephemeral node. */
export function registryPath(target: RegistryTarget, instance: string): string {
  return `${proxiesPath(target)}/${encodePathSegment(instance)}`;
}

/** A name as one segment of a path: percent-encoded, "." and ".." too, which ZooKeeper refuses. */
export function encodePathSegment(name: string): string {
  if (name === "") {
    throw invalid("a name is empty; a path needs a namespace, a topic, a group and an instance");
  }
  if (name === "." || name === "..") {
    return name.replaceAll(".", "%2E");
  }
  try {
    return encodeURIComponent(name);
  } catch (cause) {
    throw invalid(`the name ${JSON.stringify(name)} is no valid Unicode text`, cause);
  }
}

/** The name that a segment stands for. */
export function decodePathSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw invalid(`the segment ${JSON.stringify(segment)} is not percent-encoded UTF-8`, cause);
  }
}

/** What ZooKeeper refuses inside a path. */
// oxlint-disable-next-line no-control-regex -- ZooKeeper's own list of refused characters has them
const refused = /[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/;

function checkedRoot(root: string): string {
  if (root === "/") {
    return "";
  }
  const segments = root.split("/").slice(1);
  const valid =
    root.startsWith("/") &&
    !refused.test(root) &&
    segments.every((segment) => segment !== "" && segment !== "." && segment !== "..");
  if (!valid || segments[0] === "zookeeper") {
    throw invalid(
      `the root is ${JSON.stringify(root)}; allowed is an absolute path without a slash at its end, and not below /zookeeper`,
    );
  }
  return root;
}

function invalid(why: string, cause?: unknown): WireError {
  return new WireError(
    "invalid-registry-path",
    `Not a valid ZooKeeper path: ${why}.`,
    cause === undefined ? undefined : { cause },
  );
}
