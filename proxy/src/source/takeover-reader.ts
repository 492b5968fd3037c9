import {
  type CommittedOffset,
  GroupOffsets,
  type KafkaConnection,
  KafkaError,
  logOffsets,
  type Logger,
  type MemberIdentity,
  type OffsetToCommit,
  type RefusedOffsets,
} from "@kafkaproxy/kafka";
import type { Takeover } from "../dispatch/index.ts";
import type { BirthStore } from "./birth-store.ts";
import type { HandoverStore } from "./handover.ts";
import { type OffsetReset, startPosition } from "./start-position.ts";

export interface TakeoverReaderOptions {
  readonly connection: KafkaConnection;
  readonly topic: string;
  readonly consumerGroup: string;
  readonly offsetReset: OffsetReset;
  readonly handover: HandoverStore;
  readonly births: BirthStore;
  readonly commit: (
    positions: readonly OffsetToCommit[],
    identity: MemberIdentity,
  ) => Promise<RefusedOffsets>;
  readonly logger: Logger;
}

/** The source can't begin, and trying again does not help. */
export class SourceFailure extends Error {
  override readonly name = "SourceFailure";
}

export interface TakeoversRead {
  readonly takeovers: readonly Takeover[];
  /** Why the broker did not take the initial positions of the others, when there are any. */
  readonly refusal: KafkaError | undefined;
}

/** Finds out where partitions that are ours from now on were left, or where they begin. */
export class TakeoverReader {
  readonly #options: TakeoverReaderOptions;
  readonly #offsets: GroupOffsets;

  constructor(options: TakeoverReaderOptions) {
    this.#options = options;
    const { connection, consumerGroup, topic } = options;
    this.#offsets = new GroupOffsets(connection, consumerGroup, topic);
  }

  /** Where each partition goes on; a position that is new to the group is committed before anything is delivered from it. */
  async read(gained: readonly number[], identity: MemberIdentity): Promise<TakeoversRead> {
    const { connection, topic, handover } = this.#options;
    const committed = await this.#offsets.committed();
    const takeovers: Takeover[] = [];
    const fresh = gained.filter((partition) => !committed.has(partition));
    await Promise.all(
      gained.map(async (partition) => {
        const found = committed.get(partition);
        if (found === undefined) return;
        const overflow = await handover.find(partition, found);
        const { offset: watermark, metadata } = found;
        takeovers.push({ partition, watermark, metadata, overflow });
      }),
    );
    if (fresh.length === 0) return { takeovers, refusal: undefined };
    const resets = await this.#resets(fresh, committed);
    const range = await logOffsets(connection, topic, fresh);
    const initial = fresh.map((partition) => {
      const bounds = range.get(partition);
      if (bounds === undefined) {
        throw new KafkaError(
          "not-leader",
          `partition ${topic}-${partition} has no offsets to begin at just now`,
        );
      }
      const offset = resets.get(partition) === "latest" ? bounds.latest : bounds.earliest;
      return { partition, offset, metadata: "" };
    });
    const refused = await this.#options.commit(initial, identity);
    for (const { partition, offset } of initial) {
      if (refused.has(partition)) continue;
      takeovers.push({ partition, watermark: offset, metadata: "" });
      this.#options.logger.info({ partition, offset }, "the group begins on this partition");
    }
    const [refusal] = refused.values();
    return { takeovers, refusal };
  }

  async #resets(
    fresh: readonly number[],
    committed: ReadonlyMap<number, CommittedOffset>,
  ): Promise<Map<number, OffsetReset>> {
    const { births, connection, offsetReset, topic, consumerGroup } = this.#options;
    if (committed.size === 0 && offsetReset === "fail") {
      throw new SourceFailure(
        `group ${consumerGroup} has no commit on topic ${topic} and kafka.offsetReset is "fail": commit its offsets first, or set kafka.offsetReset to "earliest" or "latest"`,
      );
    }
    if (committed.size === 0 && offsetReset === "latest") {
      await births.record({ partitions: (await connection.partitions(topic)).length });
    }
    const birth = committed.size > 0 && offsetReset === "latest" ? await births.find() : undefined;
    const known = new Set(committed.keys());
    return new Map(
      fresh.map((partition) => [
        partition,
        startPosition({ partition, offsetReset, committed: known, birth }),
      ]),
    );
  }
}
