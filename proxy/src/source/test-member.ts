// A source with a real Kafka, a real dispatch and one worker without a socket: for tests only.
import { setTimeout as delay } from "node:timers/promises";
import { KafkaConnection, type Logger } from "@kafkaproxy/kafka";
import type { Frame, Owned } from "@kafkaproxy/wire";
import { type DeadRecord, Dispatch } from "../dispatch/index.ts";
import type { BirthStore } from "./birth-store.ts";
import { Fence } from "./fence.ts";
import type { CommittedPosition, HandoverStore } from "./handover.ts";
import { KafkaSource } from "./kafka-source.ts";
import type { GroupBirth, OffsetReset } from "./start-position.ts";

export interface TestMemberOptions {
  readonly bootstrapServers: readonly string[];
  readonly topic: string;
  readonly group: string;
  readonly ordinal?: number;
  readonly replicas?: number;
  readonly offsetReset?: OffsetReset;
  readonly queue?: { readonly maxMessages: number; readonly maxBytes: number };
  readonly handover?: HandoverStore;
  readonly births?: BirthStore;
  /** False: takes the record and never acks. */
  readonly acks?: (partition: number, offset: number, attempt: number) => boolean;
  readonly ackTimeoutMs?: number;
}

export interface TestMember {
  readonly source: KafkaSource;
  readonly dispatch: Dispatch;
  readonly fence: Fence;
  /** partition:offset of what was delivered, in order. */
  readonly delivered: string[];
  /** The attempts of each partition:offset, in order. */
  readonly attempts: Map<string, number[]>;
  readonly settled: Set<string>;
  /** Acks that came too late: the partition was another's. A client would present them there; this one does not. */
  readonly moved: Set<string>;
  readonly dead: DeadRecord[];
  readonly failures: Error[];
  /** What the source said of records that retention took. */
  readonly expired: number[];
  readonly words: string[];
  readonly owned: Set<number>;
  /** What its worker was told of it, in order. */
  readonly claims: Owned[];
  close(options?: { leave: boolean }): Promise<void>;
}

/** A hand-over store in memory, shared by the members of one group. */
export class MemoryHandover implements HandoverStore {
  readonly #left = new Map<number, { commit: CommittedPosition; overflow: Uint8Array }>();

  async leave(
    partition: number,
    commit: CommittedPosition,
    overflow: Uint8Array,
  ): Promise<boolean> {
    this.#left.set(partition, { commit, overflow });
    return await Promise.resolve(true);
  }

  async find(partition: number, commit: CommittedPosition): Promise<Uint8Array | undefined> {
    const left = this.#left.get(partition);
    const matches =
      left?.commit.offset === commit.offset && left.commit.metadata === commit.metadata;
    return await Promise.resolve(matches ? left.overflow : undefined);
  }

  async remove(partition: number, commit: CommittedPosition): Promise<void> {
    if ((await this.find(partition, commit)) !== undefined) this.#left.delete(partition);
  }
}

/** How a group began, in memory. */
export class MemoryBirth implements BirthStore {
  #birth: GroupBirth | undefined;

  async find(): Promise<GroupBirth | undefined> {
    return await Promise.resolve(this.#birth);
  }

  async record(birth: GroupBirth): Promise<void> {
    this.#birth = birth;
    return await Promise.resolve();
  }
}

const sessionId = "worker";

export function startMember(options: TestMemberOptions): TestMember {
  const words: string[] = [];
  const say = (_fields: object, message: string): void => void words.push(message);
  const logger: Logger = { debug: () => undefined, info: say, warn: say, error: say };
  const settings = { bootstrapServers: options.bootstrapServers, logger };
  const connection = new KafkaConnection(settings);
  const ordinal = options.ordinal ?? 0;
  const delivered: string[] = [];
  const attempts = new Map<string, number[]>();
  const settled = new Set<string>();
  const moved = new Set<string>();
  const dead: DeadRecord[] = [];
  const failures: Error[] = [];
  const expired: number[] = [];
  const owned = new Set<number>();
  const claims: Owned[] = [];
  const fence = new Fence({
    sessionTimeoutMs: 6_000,
    changed: (reason) => {
      dispatch.setDelivering(performance.now(), reason === undefined);
    },
  });
  const now = (): number => {
    const at = performance.now();
    fence.observe(at);
    return at;
  };
  const dispatch = new Dispatch(
    {
      topic: options.topic,
      ackTimeoutMs: options.ackTimeoutMs ?? 3_000,
      maxProcessingTimeMs: 1_800_000,
      maxDeliveries: 5,
      backoff: { initialMs: 100, maxMs: 1_000 },
      maxNackDelayMs: 900_000,
      pull: { maxMessages: 100, maxBytes: 16 << 20, maxWaitMs: 60_000 },
      push: { maxCredit: 10_000 },
      queue: options.queue ?? { maxMessages: 20_000, maxBytes: 128 << 20 },
      maxFrameBytes: 17 << 20,
      commitBatchSize: 1_000,
      random: Math.random,
    },
    {
      dead: (record) => void dead.push(record),
      commitWanted: () => {
        source.commitSoon();
      },
      intake: (partition, open) => {
        source.intake(partition, open);
      },
    },
  );
  const source = new KafkaSource({
    connection,
    settings,
    topic: options.topic,
    consumerGroup: options.group,
    instance: `p-${ordinal}`,
    ordinal,
    replicas: options.replicas ?? 1,
    configGeneration: 0,
    sessionTimeoutMs: 6_000,
    heartbeatIntervalMs: 200,
    rebalanceTimeoutMs: 10_000,
    metadataRefreshMs: 1_000,
    fetch: { maxWaitMs: 200, maxBytes: 4 << 20 },
    ackTimeoutMs: 3_000,
    offsetReset: options.offsetReset ?? "earliest",
    commitIntervalMs: 100,
    dispatch,
    handover: options.handover ?? new MemoryHandover(),
    births: options.births ?? new MemoryBirth(),
    now,
    fence,
    events: {
      gained: (partition) => void owned.add(partition),
      leaving: async () => {
        await Promise.resolve();
      },
      gone: (partition) => void owned.delete(partition),
      failed: (error) => void failures.push(error),
      expired: (records) => void expired.push(records),
    },
    logger,
  });
  const take = (frame: Frame): void => {
    if (frame.type === "owned") claims.push(frame);
    if (frame.type === "settled") {
      for (const { partition, first, last } of frame.ranges) {
        for (let offset = first; offset <= last; offset++) settled.add(`${partition}:${offset}`);
      }
    }
    if (frame.type === "error" || frame.type === "cancel") {
      for (const { partition, offset } of frame.records) moved.add(`${partition}:${offset}`);
    }
    if (frame.type !== "deliver") return;
    for (const { partition, offset, attempt } of frame.records) {
      const id = `${partition}:${offset}`;
      delivered.push(id);
      attempts.set(id, [...(attempts.get(id) ?? []), attempt]);
    }
    const acked = frame.records.filter(
      ({ partition, offset, attempt }) => options.acks?.(partition, offset, attempt) ?? true,
    );
    if (acked.length > 0) {
      const ranges = acked.map(({ partition, offset }) => ({
        partition,
        first: offset,
        last: offset,
      }));
      setImmediate(() => {
        dispatch.receive(now(), sessionId, { type: "ack", ranges });
      });
    }
    setImmediate(pull);
  };
  const pull = (): void => {
    dispatch.receive(now(), sessionId, {
      type: "pull",
      requestId: 1,
      maxMessages: 100,
      maxBytes: 16 << 20,
      waitMs: 60_000,
      wait: "claim",
      offerId: 0,
    });
  };
  dispatch.open(
    now(),
    { sessionId, clientName: "worker", mode: "pull" },
    { send: take, writable: true },
  );
  pull();
  source.start();
  const ticker = setInterval(() => {
    dispatch.tick(now());
  }, 20);
  return {
    source,
    dispatch,
    fence,
    delivered,
    attempts,
    settled,
    moved,
    dead,
    failures,
    expired,
    words,
    owned,
    claims,
    async close({ leave } = { leave: true }) {
      await source.close({ leave });
      clearInterval(ticker);
      await connection.close();
    },
  };
}

export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within 60 s: ${what}`);
    await delay(20);
  }
}
