import {
  describe,
  encodeMetadata,
  encodeOverflow,
  maxMetadataChars,
  MetadataRoom,
  OffsetRanges,
} from "../ledger/index.ts";
import type { Intake } from "./intake.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { OpenCommit } from "./open-commit.ts";
import type { Outbox } from "./outbox.ts";
import type { Partition, PendingAcks } from "./partition.ts";
import type { ReadyQueue } from "./ready-queue.ts";
import type { DispatchCounters, MetadataLimits, PartitionCommit } from "./types.ts";

export interface CommitsParts {
  readonly lifecycle: Lifecycle;
  readonly intake: Intake;
  readonly queue: ReadyQueue;
  readonly outbox: Outbox;
  readonly counters: DispatchCounters;
}

/**
 * A broker that refuses commits for good stops no delivery: a new owner whose commits are refused for so long begins
 * without. Only its death could repeat work then.
 */
const firstCommitMs = 5_000;

/** Takes what is to be committed, and draws the consequences when it is: acks durable, deliveries recorded. */
export class Commits {
  readonly #parts: CommitsParts;
  /** Of all partitions: one broker coordinates the group. */
  readonly #room = new MetadataRoom(maxMetadataChars);

  constructor(parts: CommitsParts) {
    this.#parts = parts;
  }

  take(partition: Partition): OpenCommit {
    return this.#take(partition, false);
  }

  /** The last one. It speaks for an earlier one still open, whose outcome is of no interest any more. */
  takeLast(partition: Partition): OpenCommit {
    if (partition.taken !== undefined) partition.returnAcks(partition.taken.acks);
    return this.#take(partition, true);
  }

  /** The last one anew; its partition has stood still since. */
  retake(commit: PartitionCommit): PartitionCommit {
    return commit instanceof OpenCommit ? this.takeLast(commit.source) : commit;
  }

  shorten(refused: readonly PartitionCommit[]): MetadataLimits | undefined {
    const before = this.#room.chars;
    // Not the shortest: it may be their sum that was too much, and what is still too long is refused again.
    const longest = Math.max(...refused.map(({ metadata }) => metadata.length));
    return this.#room.shrinkBelow(longest) ? { before, after: this.#room.chars } : undefined;
  }

  #take(partition: Partition, last: boolean): OpenCommit {
    const { window } = partition;
    const offset = window.watermark;
    // Who still waits for clients to present what they hold can't vouch for it to the next owner.
    const knowsAll = partition.presentWait === undefined;
    const room = this.#room.chars;
    // The overflow of the last one has everything.
    const description = describe(window, last && knowsAll, last ? Infinity : room);
    const { counts, counted } = description;
    const encoded = encodeMetadata(
      offset,
      description,
      (index) => (counted[index]?.recorded ?? 0) > 0,
      room,
    );
    if (!encoded.complete) this.#parts.counters.snapshotOverflows += 1;
    const horizon = encoded.horizon ?? Infinity;
    const commit = new OpenCommit({
      offset,
      metadata: encoded.metadata,
      ...(last && !encoded.complete && { overflow: encodeOverflow(offset, description) }),
      source: partition,
      horizon,
      acks: partition.acks,
      covered:
        window.settledTotal - (encoded.horizon === undefined ? 0 : window.settledFrom(horizon)),
      counted: counted.flatMap((record, index) => {
        const deliveries = counts[index]?.deliveries;
        if (deliveries === undefined || encoded.countsLeftOut.has(index)) return [];
        return [[record, deliveries] as const];
      }),
      uncounted: counted.filter((_, index) => encoded.countsLeftOut.has(index)),
    });
    partition.taken = commit;
    partition.acks = new Map();
    partition.settledAtTake = window.settledTotal;
    partition.dirty = false;
    return commit;
  }

  /** `owned`: the partition is still ours. */
  confirmed(commit: PartitionCommit, owned: (partition: Partition) => boolean): void {
    if (!(commit instanceof OpenCommit) || commit.source.taken !== commit) return;
    const partition = commit.source;
    partition.taken = undefined;
    partition.returnAcks(this.#tell(commit));
    if (!owned(partition)) return;
    this.#open(partition);
    partition.committed = commit.offset;
    partition.covered = commit.covered;
    const { lifecycle, intake } = this.#parts;
    for (const record of commit.uncounted) lifecycle.recorded(partition, record, 0);
    for (const [record, deliveries] of commit.counted) {
      lifecycle.recorded(partition, record, deliveries);
    }
    intake.reopen(partition);
  }

  /** `refused`: as in DispatchPort. `owned`: the partition is still ours. */
  failed(
    now: number,
    commit: PartitionCommit,
    refused: boolean,
    owned: (partition: Partition) => boolean,
  ): void {
    if (!(commit instanceof OpenCommit) || commit.source.taken !== commit) return;
    const partition = commit.source;
    partition.taken = undefined;
    partition.dirty = true;
    partition.returnAcks(commit.acks);
    if (!refused || !owned(partition)) return;
    partition.refusedSince ??= now;
    if (now - partition.refusedSince >= firstCommitMs) this.#open(partition);
  }

  /** What it has may go out. */
  #open(partition: Partition): void {
    if (partition.standing) return;
    partition.standing = true;
    this.#parts.queue.opened(partition);
  }

  /** The partition was reset: its pending acks are about records that are gone, there is nothing more to do about them. */
  abandon(partition: Partition): void {
    if (partition.taken !== undefined) partition.returnAcks(partition.taken.acks);
    partition.taken = undefined;
    for (const [session, ranges] of partition.acks) {
      for (const [first, last] of ranges) {
        this.#parts.outbox.settled(session, { partition: partition.number, first, last });
      }
    }
    partition.acks = new Map();
  }

  /** Tells every session which of its acks are durable now; returns the others. */
  #tell(commit: OpenCommit): PendingAcks {
    const durableBelow = Math.max(commit.offset, commit.horizon);
    const others: PendingAcks = new Map();
    for (const [session, ranges] of commit.acks) {
      const left = new OffsetRanges();
      for (const [first, last] of ranges) {
        if (first < durableBelow) {
          this.#parts.outbox.settled(session, {
            partition: commit.partition,
            first,
            last: Math.min(last, durableBelow - 1),
          });
        }
        if (last >= durableBelow) left.add(Math.max(first, durableBelow), last);
      }
      if (left.size > 0) others.set(session, left);
    }
    return others;
  }
}
