import { KafkaConnection, type KafkaSettings, type Logger } from "@kafkaproxy/kafka";
import { groupPath } from "@kafkaproxy/wire";
import { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import type { Metrics } from "./admin/index.ts";
import {
  type ProxyConfig,
  readKafkaCredentials,
  readZooKeeperCredentials,
} from "./config/index.ts";
import { DeadLetters } from "./deadletter/index.ts";
import { Dispatch, type DispatchOptions, type DispatchPort } from "./dispatch/index.ts";
import { createListener, type Listener } from "./listener/index.ts";
import { Registry } from "./registry/index.ts";
import {
  Fence,
  type FenceReason,
  KafkaSource,
  type RecordSource,
  ZooKeeperBirth,
  ZooKeeperHandover,
} from "./source/index.ts";
import { within } from "./within.ts";

export interface RoomsOptions {
  readonly logger: Logger;
  /** 0 to 1. */
  readonly random: () => number;
  /** The proxy no longer trusts its membership, or does again (undefined). */
  readonly fenceChanged: (reason: FenceReason | undefined) => void;
  readonly metrics: Pick<Metrics, "committed" | "rebalanced" | "expired" | "deadLettered">;
  /** A room can't go on by itself. */
  readonly failed: (error: Error) => void;
}

/** The rooms of one proxy, wired together; nothing runs yet. */
export interface Rooms {
  /** Monotonic ms. Every reading passes the fence. */
  readonly now: () => number;
  readonly fence: Fence;
  readonly connection: KafkaConnection;
  readonly session: ZooKeeperSession;
  readonly dispatch: DispatchPort;
  readonly source: RecordSource;
  readonly deadLetters: DeadLetters;
  readonly listener: Listener;
  readonly registry: Registry;
  zookeeper(): Reach;
}

/** Whether a server answers us, and since when it has been so, in monotonic ms. */
export interface Reach {
  readonly ok: boolean;
  readonly since: number;
}

/** How long a hand-over waits for what is being written to the dead-letter topic. */
const settleMs = 2_000;

/** @throws the file system's error when a certificate or a password can't be read. */
export async function openRooms(config: ProxyConfig, options: RoomsOptions): Promise<Rooms> {
  const { logger, random, metrics } = options;
  const { namespace, topic, consumerGroup, instance } = config;
  const settings: KafkaSettings = {
    bootstrapServers: config.kafka.bootstrapServers,
    clientId: instance,
    requestTimeoutMs: config.kafka.requestTimeoutMs,
    logger,
    ...(await readKafkaCredentials(config.kafka)),
  };
  const auth = await readZooKeeperCredentials(config.zookeeper);
  const fence = new Fence({
    sessionTimeoutMs: config.kafka.sessionTimeoutMs,
    changed: options.fenceChanged,
  });
  const now = (): number => {
    const at = performance.now();
    fence.observe(at);
    return at;
  };
  const connection = new KafkaConnection(settings);
  const session = new ZooKeeperSession({
    servers: config.zookeeper.servers,
    sessionTimeoutMs: config.zookeeper.sessionTimeoutMs,
    logger,
    random,
    ...(auth === undefined ? {} : { auth }),
  });
  const target = { root: config.zookeeper.root, namespace, topic, consumerGroup };

  const dispatch = new Dispatch(dispatchOptions(config, random), {
    dead: (record) => {
      deadLetters.add(record);
    },
    commitWanted: () => {
      source.commitSoon();
    },
    intake: (partition, open) => {
      source.intake(partition, open);
    },
  });
  const deadLetters = new DeadLetters({
    connection,
    settings,
    session,
    target,
    topic: config.deadLetter.topic,
    maxEntries: config.deadLetter.index.maxEntries,
    isDying: (dead) => dispatch.isDying(dead),
    written: ({ partition, offset, disposition }) => {
      metrics.deadLettered(disposition);
      dispatch.deadLettered(now(), partition, offset);
    },
    now,
    wallClock: Date.now,
    random,
    logger,
  });
  const path = groupPath(target);
  const source = new KafkaSource({
    connection,
    settings,
    topic,
    consumerGroup,
    instance,
    ordinal: config.ordinal,
    replicas: config.replicas,
    configGeneration: config.configGeneration,
    sessionTimeoutMs: config.kafka.sessionTimeoutMs,
    heartbeatIntervalMs: config.kafka.heartbeatIntervalMs,
    rebalanceTimeoutMs: config.kafka.rebalanceTimeoutMs,
    metadataRefreshMs: config.kafka.metadataRefreshMs,
    fetch: { maxWaitMs: config.kafka.fetchWaitMs, maxBytes: config.kafka.fetchMaxBytes },
    ackTimeoutMs: config.delivery.ackTimeoutMs,
    offsetReset: config.kafka.offsetReset,
    commitIntervalMs: config.commit.intervalMs,
    dispatch,
    handover: new ZooKeeperHandover(session, path, logger),
    births: new ZooKeeperBirth(session, path, logger),
    now,
    fence,
    events: {
      gained: (partition) => {
        deadLetters.gained(partition);
      },
      leaving: async (partitions) => {
        await within(deadLetters.settle(partitions), settleMs);
      },
      gone: (partition) => {
        deadLetters.gone(partition);
      },
      failed: options.failed,
      committed: (durationMs, ok) => {
        metrics.committed(durationMs, ok);
      },
      rebalanced: () => {
        metrics.rebalanced();
      },
      expired: (records) => {
        metrics.expired(records);
      },
    },
    logger,
  });
  const listener = createListener({
    config,
    identity: { namespace, topic, consumerGroup, instance },
    dispatch,
    now,
    logger,
  });
  const registry = new Registry({ session, config, logger });
  let reach = { ok: false, since: performance.now() };
  session.onState((state) => {
    const ok = state === "connected";
    if (ok !== reach.ok) reach = { ok, since: performance.now() };
  });
  return {
    now,
    fence,
    connection,
    session,
    dispatch,
    source,
    deadLetters,
    listener,
    registry,
    zookeeper: () => reach,
  };
}

function dispatchOptions(config: ProxyConfig, random: () => number): DispatchOptions {
  const { delivery, queue, commit, listener, pull, push, topic } = config;
  return {
    topic,
    ...delivery,
    pull,
    push,
    queue: { maxMessages: queue.size, maxBytes: queue.maxBytes },
    maxFrameBytes: listener.maxFrameBytes,
    commitBatchSize: commit.batchSize,
    random,
  };
}
