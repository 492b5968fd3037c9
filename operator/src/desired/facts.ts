import { createHash } from "node:crypto";
import { type KafkaProxy, type Problem, secretReferences } from "../api/index.ts";

/** What was observed outside of the resource. */
export interface Facts {
  /** The proxies' image. */
  readonly image: string;
  /** Default: Kubernetes' own, by the image's tag. */
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  /** Partitions of the topic, when they were just read; else undefined. */
  readonly partitions: number | undefined;
  /** Replicas that the StatefulSet asks for now; undefined when there is none. */
  readonly running: number | undefined;
  /** Of `readSecrets`. */
  readonly secrets: SecretsFact;
  /** Whether the cluster has the CRD of PodMonitor. */
  readonly podMonitors: boolean;
}

export interface SecretsFact {
  /** Another one when a Secret is: `hashOf` their versions; undefined when one can't be had, "" when there is none. */
  readonly hash: string | undefined;
  /** SecretMissing or SecretUnreadable for each that can't be had. */
  readonly problems: readonly Problem[];
}

/** A Secret as the API server gives it, as far as it is looked at. */
export interface SecretObject {
  readonly metadata: { readonly uid: string; readonly resourceVersion: string };
  /** In base64. */
  readonly data?: Readonly<Record<string, string>>;
}

/** By name; undefined for one that is not there. */
export type SecretObjects = Readonly<Record<string, SecretObject | undefined>>;

/**
 * What the resource's Secrets say.
 *
 * The hash stands in the pods' annotations, where it is read by people who may not read Secrets: one over
 * values, salted with anything that they can read too, would let them try out passwords until it fits. So it
 * is over versions. A version changes with whatever is changed in a Secret, labels too, and then the pods are
 * rolled for nothing; writing a Secret again as it is changes none.
 *
 * @param refused the API server's words by name, for Secrets that the operator may not read.
 */
export function readSecrets(
  { metadata, spec }: KafkaProxy,
  secrets: SecretObjects,
  refused: Readonly<Record<string, string>> = {},
): SecretsFact {
  const problems = new Map<string, Problem>();
  const versions = new Map<string, string>();
  for (const { field, secret, key } of secretReferences(spec)) {
    const found = secrets[secret];
    if (found?.data?.[key] !== undefined) {
      const { uid, resourceVersion } = found.metadata;
      versions.set(secret, `${uid} ${resourceVersion}`);
      continue;
    }
    const names = `${field} names Secret ${metadata.namespace}/${secret}`;
    const words = refused[secret];
    const what = found === undefined ? "which is not there" : `which has no key ${key}`;
    const problem: Problem =
      words === undefined
        ? { reason: "SecretMissing", found: `${names}, ${what}` }
        : { reason: "SecretUnreadable", found: `${names}, which may not be read: ${words}` };
    problems.set(problem.found, problem);
  }
  if (problems.size > 0) return { hash: undefined, problems: [...problems.values()] };
  return { hash: versions.size === 0 ? "" : hashOf([...versions]), problems: [] };
}

/** 16 hexadecimal digits of a value's SHA-256. */
export function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}

export interface Replicas {
  readonly asked: number;
  /** What the StatefulSet is to ask for. */
  readonly wanted: number;
  /** Of the topic, when last seen. */
  readonly partitions: number | undefined;
}

/**
 * As many as are asked for, and at most as many as there are partitions. When these are not known, the
 * last known number counts; when there is none, what runs is left as it is.
 */
export function replicasOf({ spec, status }: KafkaProxy, facts: Facts): Replicas {
  const partitions = facts.partitions ?? status?.partitions;
  const limit = partitions ?? facts.running ?? 0;
  return { asked: spec.replicas, wanted: Math.min(spec.replicas, limit), partitions };
}
