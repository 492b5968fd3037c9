/**
 * The port towards the topic: which partitions are ours, their records into dispatch, commits out.
 * The adapter on Kafka is `kafka-source.ts`.
 */
export type SourceState = "idle" | "joining" | "member" | "away" | "refused" | "failed" | "closed";

export interface SourcePartitionStatus {
  readonly partition: number;
  /** First offset after the last record that can be read now; undefined until the first fetch. */
  readonly end: number | undefined;
}

export interface RecordSource {
  readonly state: SourceState;
  /** True once the group has been joined for the first time, even with no partition. */
  readonly joined: boolean;
  /** Since when Kafka answers us or does not, monotonic ms. */
  readonly reachable: { readonly ok: boolean; readonly since: number };
  /** Why the group does not take us, while it does not. */
  readonly refusal: Error | undefined;
  start(): void;
  /** From dispatch's events: may be called in the middle of dispatch's work. */
  intake(partition: number, open: boolean): void;
  commitSoon(): void;
  partitions(): SourcePartitionStatus[];
  /** With `leave`: hands every partition over, sees the commit confirmed, leaves the group. */
  close(options: { readonly leave: boolean }): Promise<void>;
}

/** What the proxy hears of its source. Synchronous; must not throw. */
export interface SourceEvents {
  /** Ours from now on: assigned to dispatch, about to be fetched. */
  gained(partition: number): void;
  /** About to be given up in an orderly way: what is being written to the dead-letter topic may end first. */
  leaving(partitions: readonly number[]): Promise<void>;
  /** No longer ours. */
  gone(partition: number): void;
  /** It can't go on by itself. */
  failed(error: Error): void;
  /** A commit has ended. */
  committed?(durationMs: number, ok: boolean): void;
  /** The group has a new generation. */
  rebalanced?(): void;
  /** So many records are gone from the log that nobody had settled, nor this proxy read. */
  expired?(records: number): void;
}
