import type { Offset } from "@kafkaproxy/wire";

/** What a record with counted deliveries is doing. */
export const standings = ["idle", "out", "rejected"] as const;
export type Standing = (typeof standings)[number];

export interface CountedRecord {
  readonly offset: Offset;
  readonly deliveries: number;
  readonly standing: Standing;
}

/** First and last offset of a run, both included. */
export type Run = readonly [first: Offset, last: Offset];

export interface Snapshot {
  /** Written by an owner that stopped delivering before it wrote. */
  readonly handedOver: boolean;
  /** Ascending. All that have been delivered, but what is out for the first time. */
  readonly counts: readonly CountedRecord[];
  /** Ascending runs of what is out for the first time. */
  readonly out: readonly Run[];
  /** Ascending runs of what is settled above the watermark. */
  readonly settled: readonly Run[];
}
