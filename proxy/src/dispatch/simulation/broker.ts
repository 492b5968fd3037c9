/** What outlives every process: the log, the commits, the hand-over notes, the dead-letter topic. And the truth about each record. */
import assert from "node:assert/strict";
import { type Decoded, decodeMetadata } from "../../ledger/index.ts";
import type { PartitionCommit, SourceRecord, Takeover } from "../index.ts";
import { record } from "../test-harness.ts";

export interface Fate {
  /** Every worker refuses it. */
  readonly poison: boolean;
  /** Deliveries that were sent, without those that came back unstarted. */
  deliveries: number;
  /** A worker finished it and sent its ack. */
  acked: boolean;
  inDeadLetters: boolean;
  /** Sent again after a worker had sent its ack. */
  duplicates: number;
  /** Who is at work on it; those that hang are not. */
  readonly workers: Set<string>;
}

export type CommitOutcome = "taken" | "too-long" | "fenced";

export class Broker {
  /** Its `offset.metadata.max.bytes`: no proxy is told. */
  maxMetadataChars = 4_096;
  readonly logs: SourceRecord[][] = [];
  readonly ends: number[] = [];
  readonly fates = new Map<string, Fate>();
  readonly commits: { offset: number; metadata: string }[] = [];
  /** What a last commit had no room for, valid with that commit alone. */
  readonly handovers: ({ commit: PartitionCommit; overflow: Uint8Array } | undefined)[] = [];
  /** Which process may commit, per partition. */
  readonly owners: string[] = [];
  #read: { readonly metadata: string; readonly decoded: Decoded } | undefined;

  addPartition(): void {
    this.logs.push([]);
    this.ends.push(0);
    this.commits.push({ offset: 0, metadata: "" });
    this.handovers.push(undefined);
    this.owners.push("");
  }

  /** Appends a record after `gap` offsets that hold none. */
  produce(partition: number, gap: number, poison: boolean, bytes: number): void {
    const offset = at(this.ends, partition) + gap;
    at(this.logs, partition).push(record(offset, bytes));
    this.ends[partition] = offset + 1;
    this.fates.set(`${partition}:${offset}`, {
      poison,
      deliveries: 0,
      acked: false,
      inDeadLetters: false,
      duplicates: 0,
      workers: new Set(),
    });
  }

  fate(partition: number, offset: number): Fate {
    const fate = this.fates.get(`${partition}:${offset}`);
    assert.ok(fate, `no record was ever written at ${partition}:${offset}`);
    return fate;
  }

  /** Invariant 1: what is committed as done is acked or in the dead-letter topic. */
  commit(by: string, { partition, offset, metadata }: PartitionCommit): CommitOutcome {
    if (this.owners[partition] !== by) return "fenced";
    if (metadata.length > this.maxMetadataChars) return "too-long";
    assert.ok(offset <= at(this.ends, partition), "committed past the end of the log");
    for (const entry of at(this.logs, partition)) {
      if (entry.offset >= offset) break;
      const { acked, inDeadLetters } = this.fate(partition, entry.offset);
      assert.ok(
        acked || inDeadLetters,
        `${partition}:${entry.offset} is lost: committed ${offset}`,
      );
    }
    this.commits[partition] = { offset, metadata };
    return "taken";
  }

  /** What a commit says is done is done for whoever reads it next. */
  isDurable(partition: number, offset: number): boolean {
    const { offset: watermark, metadata } = at(this.commits, partition);
    if (offset < watermark) return true;
    if (this.#read?.metadata !== metadata) {
      this.#read = { metadata, decoded: decodeMetadata(watermark, metadata) };
    }
    const { decoded } = this.#read;
    return (
      "snapshot" in decoded &&
      decoded.snapshot.settled.some(([first, last]) => first <= offset && offset <= last)
    );
  }

  takeover(partition: number): Takeover {
    const { offset, metadata } = at(this.commits, partition);
    const note = this.handovers[partition];
    const matches = note?.commit.offset === offset && note.commit.metadata === metadata;
    const overflow = matches ? note.overflow : undefined;
    return { partition, watermark: offset, metadata, overflow };
  }

  /** Something was left out of what the next owner will find; and by a hand-over, which leaves nothing out. */
  partial(partition: number): { readonly any: boolean; readonly handedOver: boolean } {
    const { watermark, metadata, overflow } = this.takeover(partition);
    const decoded = decodeMetadata(watermark, metadata);
    if (!("snapshot" in decoded) || decoded.complete || overflow !== undefined) {
      return { any: false, handedOver: false };
    }
    return { any: true, handedOver: decoded.snapshot.handedOver };
  }

  get done(): boolean {
    return this.commits.every(({ offset }, partition) => offset === this.ends[partition]);
  }
}

export function at<T>(list: readonly T[], index: number): T {
  const value = list[index];
  if (value === undefined) throw new RangeError(`nothing at ${index} of ${list.length}`);
  return value;
}
