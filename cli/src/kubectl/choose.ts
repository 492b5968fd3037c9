/** Which resource is meant, and which of its pods can answer. Pure. */
import { CliError, exitCodes } from "../cli-error.ts";

/** A KafkaProxy as the cluster lists it. */
export interface ListedResource {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: { readonly topic: string; readonly consumerGroup: string };
  readonly status?: { readonly selector?: string };
}

/** A pod as the cluster lists it. */
export interface ListedPod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: {
    readonly containers: readonly { readonly name: string; readonly args?: readonly string[] }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly containerStatuses?: readonly { readonly name: string; readonly ready?: boolean }[];
  };
}

export interface Wanted {
  readonly name?: string | undefined;
  readonly topic?: string | undefined;
  readonly group?: string | undefined;
}

/** The one place in a cluster where a command about a resource can be run. */
export interface PodPlace {
  readonly pod: string;
  readonly container: string;
  /** Of the proxy that runs there. */
  readonly configFile: string;
}

const full = ({ metadata: { namespace, name } }: ListedResource): string => `${namespace}/${name}`;

/** @throws CliError: `notFound` when nothing fits, `usage` when several do. */
export function chooseResource(
  listed: readonly ListedResource[],
  { name, topic, group }: Wanted,
): ListedResource {
  const fitting = listed.filter(
    ({ metadata, spec }) =>
      (name === undefined || metadata.name === name) &&
      (topic === undefined || spec.topic === topic) &&
      (group === undefined || spec.consumerGroup === group),
  );
  const [one, ...others] = fitting;
  if (one === undefined) {
    const asked = [
      ...(name === undefined ? [] : [`named ${name}`]),
      ...(topic === undefined ? [] : [`of topic ${topic}`]),
      ...(group === undefined ? [] : [`of group ${group}`]),
    ].join(" ");
    const there =
      listed.length === 0 ? "none at all" : listed.map((each) => describe(each)).join(", ");
    throw new CliError(
      exitCodes.notFound,
      `no KafkaProxy ${asked === "" ? "" : `${asked} `}was found; looked at: ${there}. Choose the namespace with -n, or all with -A`,
    );
  }
  if (others.length > 0) {
    throw new CliError(
      exitCodes.usage,
      `several KafkaProxies fit: ${fitting.map((each) => describe(each)).join(", ")}. Choose one with --name, --group or -n`,
    );
  }
  return one;
}

const describe = (resource: ListedResource): string =>
  `${full(resource)} (topic ${resource.spec.topic}, group ${resource.spec.consumerGroup})`;

/** A pod whose proxy runs; a ready one if there is one. @throws CliError (unavailable) when none does. */
export function choosePod(resource: ListedResource, pods: readonly ListedPod[]): PodPlace {
  const places = pods
    .filter(({ metadata, status }) => {
      return metadata.deletionTimestamp === undefined && status?.phase === "Running";
    })
    .flatMap(({ metadata, spec, status }) =>
      spec.containers.flatMap(({ name, args = [] }) => {
        const option = args.indexOf("--config");
        const configFile = args[option + 1];
        if (args[0] !== "serve" || option < 0 || configFile === undefined) return [];
        const ready = status?.containerStatuses?.find((each) => each.name === name)?.ready === true;
        return [{ pod: metadata.name, container: name, configFile, ready }];
      }),
    );
  const best = places.find(({ ready }) => ready) ?? places[0];
  if (best === undefined) {
    throw new CliError(
      exitCodes.unavailable,
      `KafkaProxy ${full(resource)} has no pod that runs, of ${pods.length}: look with kubectl describe kpx ${resource.metadata.name}, or give -f FILE with servers that can be reached from here`,
    );
  }
  const { ready: _, ...place } = best;
  return place;
}
