import type { ProxyConfig } from "./config/index.ts";
import type { DeadLettersStatus } from "./deadletter/index.ts";
import type { PartitionStatus, SessionStatus } from "./dispatch/index.ts";
import type { Readiness, ProxyState } from "./proxy.ts";
import type { Rooms } from "./rooms.ts";
import type { StuckWatch } from "./stuck-watch.ts";

export interface ProxyPartitionStatus extends PartitionStatus {
  /** Offset after the last record that can be read; undefined until the first fetch. */
  readonly end: number | undefined;
  /** Records from the watermark to the end; undefined while the end is not known. */
  readonly lag: number | undefined;
  /** How long the watermark has stood still with lag behind it. */
  readonly stillMs: number;
  /** It has stood still for longer than it should: `oldestUnsettled` says for what. */
  readonly stuck: boolean;
}

export interface Reachability {
  readonly state: string;
  readonly reachable: boolean;
  /** How long it has been so. */
  readonly forMs: number;
}

/** What /status shows. No secret and no payload is in it. */
export interface ProxyStatus {
  readonly state: ProxyState;
  /** Why the state is `failed`. */
  readonly failure?: string;
  readonly readiness: Readiness;
  readonly instance: string;
  readonly namespace: string;
  readonly topic: string;
  readonly consumerGroup: string;
  readonly paused: boolean;
  readonly uptimeMs: number;
  /** Why nothing is delivered, while the proxy does not trust its own membership. */
  readonly fenced?: string;
  readonly kafka?: Reachability;
  readonly zookeeper?: Reachability & { readonly registered: boolean };
  readonly connections: number;
  readonly partitions: readonly ProxyPartitionStatus[];
  readonly workers: readonly SessionStatus[];
  readonly deadLetters?: DeadLettersStatus;
}

export interface StatusSources {
  readonly config: ProxyConfig;
  readonly state: ProxyState;
  readonly failure: Error | undefined;
  readonly paused: boolean;
  readonly readiness: Readiness;
  /** Monotonic ms. */
  readonly startedAt: number;
  readonly rooms: Rooms | undefined;
  readonly stuck: StuckWatch;
}

export function proxyStatus(sources: StatusSources): ProxyStatus {
  const { config, state, failure, paused, readiness, startedAt, rooms, stuck } = sources;
  const { instance, namespace, topic, consumerGroup } = config;
  const now = performance.now();
  const base = {
    state,
    ...(failure === undefined ? {} : { failure: failure.message }),
    readiness,
    instance,
    namespace,
    topic,
    consumerGroup,
    paused,
    uptimeMs: Math.round(now - startedAt),
  };
  if (rooms === undefined) return { ...base, connections: 0, partitions: [], workers: [] };
  const { source, dispatch, deadLetters, fence, listener, registry } = rooms;
  const zookeeper = rooms.zookeeper();
  return {
    ...base,
    ...(fence.reason === undefined ? {} : { fenced: fence.reason }),
    kafka: {
      state: source.state,
      reachable: source.reachable.ok,
      forMs: Math.round(now - source.reachable.since),
    },
    zookeeper: {
      state: rooms.session.state,
      reachable: zookeeper.ok,
      forMs: Math.round(now - zookeeper.since),
      registered: registry.present,
    },
    connections: listener.connections,
    partitions: partitionStatus(rooms, now, stuck),
    workers: dispatch.sessions(now),
    deadLetters: deadLetters.status,
  };
}

function partitionStatus(rooms: Rooms, now: number, stuck: StuckWatch): ProxyPartitionStatus[] {
  const ends = new Map(rooms.source.partitions().map(({ partition, end }) => [partition, end]));
  return rooms.dispatch.partitions(now).map((status) => {
    const { partition, watermark } = status;
    const end = ends.get(partition);
    return {
      ...status,
      end,
      lag: end === undefined ? undefined : Math.max(0, end - watermark),
      stillMs: Math.round(stuck.stillMs(now, partition)),
      stuck: stuck.isStuck(now, partition),
    };
  });
}
