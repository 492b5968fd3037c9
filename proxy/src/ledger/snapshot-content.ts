import type { Offset } from "@kafkaproxy/wire";

export interface CountedRecord {
  readonly offset: Offset;
  readonly deliveries: number;
  /** A worker has it; otherwise it waits for its next delivery. */
  readonly out: boolean;
}

/** First and last offset of a run, both included. */
export type Run = readonly [first: Offset, last: Offset];

/** Records on their way to the dead-letter topic that died alike. */
export interface DyingRecords {
  readonly deliveries: number;
  /** By a worker's word, and not because its deliveries were used up. */
  readonly rejected: boolean;
  /** Ascending. */
  readonly runs: readonly Run[];
}

export interface Snapshot {
  /** Written by an owner that stopped delivering before it wrote. */
  readonly handedOver: boolean;
  /** Ascending. All that have been delivered, but what is dying and what is out for the first time. */
  readonly counts: readonly CountedRecord[];
  readonly dying: readonly DyingRecords[];
  /** Ascending runs of what is out for the first time. */
  readonly out: readonly Run[];
  /** Ascending runs of what is settled above the watermark. */
  readonly settled: readonly Run[];
}
