import type { Offset } from "@kafkaproxy/wire";
import type { WindowRecord } from "../ledger/index.ts";
import type { Partition, PendingAcks } from "./partition.ts";
import type { PartitionCommit } from "./types.ts";

/** What a commit will have made durable once it is confirmed. Knows the partition object that it was taken from. */
export class OpenCommit implements PartitionCommit {
  readonly partition: number;
  readonly offset: Offset;
  readonly metadata: string;
  readonly overflow?: Uint8Array;
  readonly source: Partition;
  /** All that is settled below it is durable with this commit. */
  readonly horizon: Offset;
  readonly acks: PendingAcks;
  /** Settled records covered, of the window's total. */
  readonly covered: number;
  /** Records whose count is written, and the count. */
  readonly counted: readonly (readonly [record: WindowRecord, deliveries: number])[];
  /** Records whose count found no place. */
  readonly uncounted: readonly WindowRecord[];

  constructor(fields: Omit<OpenCommit, "partition">) {
    this.partition = fields.source.number;
    this.offset = fields.offset;
    this.metadata = fields.metadata;
    if (fields.overflow !== undefined) this.overflow = fields.overflow;
    this.source = fields.source;
    this.horizon = fields.horizon;
    this.acks = fields.acks;
    this.covered = fields.covered;
    this.counted = fields.counted;
    this.uncounted = fields.uncounted;
  }
}
