import { isDeepStrictEqual } from "node:util";
import {
  type Condition,
  type ConditionReason,
  type ConditionType,
  type DeadLetters,
  durationMs,
  type KafkaProxy,
  type KafkaProxyStatus,
  type Lag,
  type Problem,
  problemMessage,
  sortedProblems,
} from "../api/index.ts";
import type { Replicas } from "./facts.ts";
import { selectorText } from "./names.ts";

/** A StatefulSet as the API server shows it, as far as the status needs it. */
export interface ObservedStatefulSet {
  readonly metadata: { readonly generation?: number };
  readonly spec?: { readonly replicas?: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly replicas?: number;
    readonly readyReplicas?: number;
    readonly updatedReplicas?: number;
    readonly currentRevision?: string;
    readonly updateRevision?: string;
  };
}

export interface Observed {
  /** Wall clock, ms since 1970. */
  readonly now: number;
  /** undefined while there is none. */
  readonly statefulSet: ObservedStatefulSet | undefined;
  /** All that is wrong now; a rollout that is stuck is found here. */
  readonly problems: readonly Problem[];
  /** undefined when it is not known now. */
  readonly lag: Lag | undefined;
  readonly deadLetters: DeadLetters | undefined;
}

interface Draft extends Omit<Condition, "observedGeneration" | "lastTransitionTime"> {
  readonly reason: ConditionReason;
}

/** What a rollout may take: this, and a drain and a minute for each pod. */
const rolloutMs = 120_000;
const perPodMs = 60_000;

/**
 * The status to write. Pure. When nothing has changed it is `resource.status` itself, so that
 * `statusOf(...) === resource.status` says that there is nothing to write.
 *
 * @param replicas of `desired`, or of `replicasOf` when that one threw.
 */
export function statusOf(
  resource: KafkaProxy,
  replicas: Replicas,
  observed: Observed,
): KafkaProxyStatus {
  const pods = podsOf(replicas, observed.statefulSet);
  const progress = progressingOf(pods);
  const stuck = stuckProblem(resource, progress, pods, observed.now);
  const problems = sortedProblems([...observed.problems, ...(stuck === undefined ? [] : [stuck])]);
  const drafts = [
    readyOf(resource, pods, problems),
    progress,
    degradedOf(problems),
    cappedOf(replicas),
  ];
  const generation = resource.metadata.generation ?? 0;
  const next: KafkaProxyStatus = {
    observedGeneration: generation,
    conditions: drafts.map((draft) => dated(draft, resource, generation, observed.now)),
    replicas: pods.existing,
    readyReplicas: pods.ready,
    selector: selectorText(resource),
    ...(replicas.partitions === undefined ? {} : { partitions: replicas.partitions }),
    ...(observed.lag === undefined ? {} : { lag: observed.lag }),
    ...(observed.deadLetters === undefined ? {} : { deadLetters: observed.deadLetters }),
  };
  const { status } = resource;
  return status !== undefined && isDeepStrictEqual(next, status) ? status : next;
}

/** What `refusedStatus` needs of a resource that can't be read. */
export interface Unreadable extends WithStatus {
  readonly metadata: { readonly generation?: number };
}

interface WithStatus {
  readonly status?: KafkaProxyStatus | undefined;
}

/**
 * The status of a resource whose spec can't be used: Degraded says why, all else stays as it was last
 * seen. Pure. When nothing has changed it is `raw.status` itself.
 *
 * @param problems each with field, found and allowed.
 */
export function refusedStatus(
  raw: Unreadable,
  problems: readonly string[],
  now: number,
): KafkaProxyStatus {
  const degraded = degradedOf([{ reason: "SpecRefused", found: problems.join("; ") }]);
  const generation = raw.metadata.generation ?? 0;
  const condition = dated(degraded, raw, generation, now);
  const before = raw.status?.conditions ?? [];
  const next: KafkaProxyStatus = {
    ...raw.status,
    observedGeneration: generation,
    conditions: before.some(({ type }) => type === "Degraded")
      ? before.map((one) => (one.type === "Degraded" ? condition : one))
      : [...before, condition],
  };
  return raw.status !== undefined && isDeepStrictEqual(next, raw.status) ? raw.status : next;
}

interface Pods {
  readonly present: boolean;
  readonly wanted: number;
  readonly existing: number;
  readonly ready: number;
  readonly updated: number;
  /** The StatefulSet's controller has seen what we last applied. */
  readonly current: boolean;
  readonly rolling: boolean;
}

function podsOf({ wanted }: Replicas, set: ObservedStatefulSet | undefined): Pods {
  const status = set?.status ?? {};
  const { replicas = 0, readyReplicas = 0, updateRevision, currentRevision } = status;
  const rolling = updateRevision !== undefined && updateRevision !== currentRevision;
  return {
    present: set !== undefined,
    wanted,
    existing: replicas,
    ready: readyReplicas,
    updated: rolling ? (status.updatedReplicas ?? 0) : replicas,
    current:
      set?.spec?.replicas === wanted &&
      (status.observedGeneration ?? 0) >= (set.metadata.generation ?? 0),
    rolling,
  };
}

const proxies = (count: number): string => (count === 1 ? "1 proxy" : `${count} proxies`);

const ready = (status: "True" | "False", reason: ConditionReason, message: string): Draft => ({
  type: "Ready",
  status,
  reason,
  message,
});

const progressing = (
  status: "True" | "False",
  reason: ConditionReason,
  message: string,
): Draft => ({
  type: "Progressing",
  status,
  reason,
  message,
});

function readyOf(resource: KafkaProxy, pods: Pods, problems: readonly Problem[]): Draft {
  const { wanted } = pods;
  if (resource.spec.replicas === 0) {
    return ready("False", "ScaledToZero", "Nothing serves: spec.replicas is 0.");
  }
  const [gravest] = problems;
  if (wanted === 0) {
    const because = gravest === undefined ? "" : ` ${problemMessage(gravest)}`;
    const message = `Nothing serves: it is not known how many partitions the topic has.${because}`;
    return ready("False", gravest?.reason ?? "PartitionsUnknown", message);
  }
  if (!pods.present && gravest !== undefined) {
    return ready("False", gravest.reason, `Nothing serves. ${problemMessage(gravest)}`);
  }
  // A rollout takes one pod at a time away, and its partitions are with the others meanwhile.
  const enough = pods.rolling && wanted > 1 ? wanted - 1 : wanted;
  if (pods.ready < enough) {
    const look = `kubectl -n ${resource.metadata.namespace} get pods -l ${selectorText(resource)}`;
    const message = `${pods.ready} of ${proxies(wanted)} serve: ${look}`;
    return ready("False", "PodsNotReady", message);
  }
  if (resource.spec.paused) {
    const message =
      "spec.paused is true: the proxies hold their partitions, and deliver nothing from when the kubelet has brought them the change (a minute or so).";
    return ready("True", "Paused", message);
  }
  return ready("True", "Serving", wanted === 1 ? "1 proxy serves." : `${wanted} proxies serve.`);
}

function progressingOf(pods: Pods): Draft {
  const { wanted, existing, updated } = pods;
  if (!pods.present) {
    if (wanted === 0) return progressing("False", "Waiting", "There is nothing to make yet.");
    return progressing("True", "Creating", `${proxies(wanted)} are to be made.`);
  } else if (pods.rolling && updated < wanted) {
    return progressing(
      "True",
      "RollingOut",
      `${updated} of ${proxies(wanted)} have the newest settings.`,
    );
  } else if (!pods.current || existing !== wanted) {
    return progressing("True", "Scaling", `There are ${existing} of ${proxies(wanted)}.`);
  } else if (pods.ready < wanted) {
    return progressing("True", "WaitingForPods", `${pods.ready} of ${proxies(wanted)} serve.`);
  }
  return progressing("False", "Complete", "All is as spec says.");
}

function stuckProblem(
  resource: KafkaProxy,
  progress: Draft,
  pods: Pods,
  now: number,
): Problem | undefined {
  const before = previous(resource, "Progressing");
  if (!pods.present || progress.status === "False" || before?.status !== "True") return undefined;
  // Another spec is another rollout.
  if (before.observedGeneration !== (resource.metadata.generation ?? 0)) return undefined;
  const sinceMs = now - Date.parse(before.lastTransitionTime);
  const limitMs = rolloutMs + pods.wanted * (perPodMs + durationMs(resource.spec.drainTimeout));
  if (!(sinceMs > limitMs)) return undefined;
  const minutes = Math.floor(limitMs / 60_000);
  return {
    reason: "RolloutStuck",
    found: `After more than ${minutes} minutes ${pods.ready} of ${proxies(pods.wanted)} serve`,
  };
}

function degradedOf(problems: readonly Problem[]): Draft {
  const [gravest] = problems;
  if (gravest === undefined) {
    const message = "Nothing is wrong.";
    return { type: "Degraded", status: "False", reason: "AllWell", message };
  }
  const message = problems.map(problemMessage).join(" ");
  return { type: "Degraded", status: "True", reason: gravest.reason, message };
}

function cappedOf({ asked, wanted, partitions }: Replicas): Draft {
  const type = "ReplicasCapped";
  if (partitions === undefined) {
    const message = "It is not known yet how many partitions the topic has.";
    return { type, status: "Unknown", reason: "PartitionsUnknown", message };
  }
  if (asked <= partitions) {
    const message = `The topic has ${partitions} partitions.`;
    return { type, status: "False", reason: "WithinPartitions", message };
  }
  const message = `${proxies(asked)} are asked for, and the topic has ${partitions} partitions: ${wanted} run. Add partitions, or set spec.replicas to ${partitions}.`;
  return { type, status: "True", reason: "MoreThanPartitions", message };
}

const previous = (resource: WithStatus, type: ConditionType): Condition | undefined =>
  resource.status?.conditions?.find((condition) => condition.type === type);

function dated(draft: Draft, resource: WithStatus, generation: number, now: number): Condition {
  const before = previous(resource, draft.type);
  // Progress on another spec begins anew, although it never stood still.
  const newSpec = draft.type === "Progressing" && before?.observedGeneration !== generation;
  const kept = before?.status === draft.status && !(newSpec && draft.status === "True");
  const lastTransitionTime = kept
    ? before.lastTransitionTime
    : `${new Date(now).toISOString().slice(0, 19)}Z`;
  return { ...draft, observedGeneration: generation, lastTransitionTime };
}
