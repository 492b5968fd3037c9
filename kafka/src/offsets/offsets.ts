import { messages } from "../connection/index.ts";
import type { KafkaConnection } from "../connection/index.ts";
import { KafkaError } from "../errors.ts";
import { onCoordinator, retried } from "./leader.ts";
import { safeOffset } from "./safe-offset.ts";

/** One partition's commit as the group keeps it. */
export interface CommittedOffset {
  readonly offset: number;
  readonly metadata: string;
}

export interface PartitionLag {
  /** Undefined: the group has never committed there. */
  readonly committed: number | undefined;
  readonly end: number;
  /** From the commit, or the log's start without one, to the end: what is still to be read. */
  readonly lag: number;
}

/** The log's first offset, and the one after the last that a read-committed consumer can read. */
export interface LogOffsets {
  readonly earliest: number;
  readonly latest: number;
}

const consumer = -1;
const readCommitted = 1;
const earliestTimestamp = -2;
const latestTimestamp = -1;
const noCommit = -1;

/** Follows leaders as they move, for up to 30 s; then the failure of the last attempt is thrown. */
export async function logOffsets(
  connection: KafkaConnection,
  topic: string,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, LogOffsets>> {
  const [earliest, latest] = await Promise.all([
    listOffsets(connection, topic, partitions, earliestTimestamp),
    listOffsets(connection, topic, partitions, latestTimestamp),
  ]);
  return new Map(
    partitions.map((partition) => [
      partition,
      { earliest: earliest.get(partition) ?? 0, latest: latest.get(partition) ?? 0 },
    ]),
  );
}

/**
 * The first offset whose record is not older than `timestampMs`, for each partition that has one.
 */
export async function offsetsForTimestamp(
  connection: KafkaConnection,
  topic: string,
  partitions: readonly number[],
  timestampMs: number,
): Promise<ReadonlyMap<number, number>> {
  const found = await listOffsets(connection, topic, partitions, timestampMs);
  return new Map([...found].filter(([, offset]) => offset >= 0));
}

async function listOffsets(
  connection: KafkaConnection,
  topic: string,
  partitions: readonly number[],
  timestamp: number,
): Promise<ReadonlyMap<number, number>> {
  const found = new Map<number, number>();
  await retried(
    connection,
    async () => {
      const missing = partitions.filter((partition) => !found.has(partition));
      const byLeader = new Map<number, number[]>();
      for (const partition of missing) {
        const leader = await connection.leader(topic, partition);
        byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition]);
      }
      await Promise.all(
        [...byLeader].map(async ([leader, theirs]) => {
          const answer = await connection.send(
            leader,
            messages.listOffsets({
              replicaId: consumer,
              isolationLevel: readCommitted,
              topics: [
                { topic, partitions: theirs.map((partition) => ({ partition, timestamp })) },
              ],
            }),
          );
          for (const { partition, errorCode, offset } of answer.responses[0]?.partitions ?? []) {
            if (errorCode !== 0) {
              throw KafkaError.fromProtocol(
                errorCode,
                `offsets of topic ${topic}, partition ${partition}`,
              );
            }
            found.set(partition, safeOffset(offset));
          }
        }),
      );
    },
    () => connection.forget(topic),
  );
  return found;
}

/** What a group has committed on one topic, and how far that is from the end. */
export class GroupOffsets {
  readonly #connection: KafkaConnection;
  readonly #groupId: string;
  readonly #topic: string;

  constructor(connection: KafkaConnection, groupId: string, topic: string) {
    this.#connection = connection;
    this.#groupId = groupId;
    this.#topic = topic;
  }

  /** Only partitions that have a commit. Default: all of the topic's. */
  async committed(partitions?: readonly number[]): Promise<ReadonlyMap<number, CommittedOffset>> {
    const wanted = partitions ?? (await this.#allPartitions());
    const answer = await onCoordinator(this.#connection, this.#groupId, async (coordinator) => {
      const response = await this.#connection.send(
        coordinator,
        messages.offsetFetch({
          groupId: this.#groupId,
          topics: [{ topic: this.#topic, partitions: wanted.map((partition) => ({ partition })) }],
        }),
      );
      this.#check(response.errorCode);
      for (const { errorCode } of response.responses[0]?.partitions ?? []) this.#check(errorCode);
      return response;
    });
    const found = new Map<number, CommittedOffset>();
    for (const { partition, offset, metadata } of answer.responses[0]?.partitions ?? []) {
      const committed = safeOffset(offset);
      if (committed !== noCommit)
        found.set(partition, { offset: committed, metadata: metadata ?? "" });
    }
    return found;
  }

  async lag(): Promise<ReadonlyMap<number, PartitionLag>> {
    const partitions = await this.#allPartitions();
    const [committed, log] = await Promise.all([
      this.committed(partitions),
      logOffsets(this.#connection, this.#topic, partitions),
    ]);
    return new Map(
      [...log].map(([partition, { earliest, latest }]) => {
        const at = committed.get(partition)?.offset;
        const from = Math.max(at ?? earliest, earliest);
        return [partition, { committed: at, end: latest, lag: Math.max(0, latest - from) }];
      }),
    );
  }

  async #allPartitions(): Promise<readonly number[]> {
    return (await this.#connection.partitions(this.#topic)).map(({ partition }) => partition);
  }

  #check(errorCode: number): void {
    if (errorCode === 0) return;
    throw KafkaError.fromProtocol(
      errorCode,
      `committed offsets of group ${this.#groupId}, topic ${this.#topic}`,
    );
  }
}
