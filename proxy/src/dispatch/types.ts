/**
 * What dispatch and its neighbours say to each other. Every method takes `now`, monotonic milliseconds;
 * nothing here reads a clock, a socket or the environment.
 */
import type { Frame, Offset } from "@kafkaproxy/wire";
import type { SourceRecord } from "../ledger/index.ts";

export type { SourceRecord };

export interface DispatchOptions {
  readonly topic: string;
  readonly ackTimeoutMs: number;
  readonly maxProcessingTimeMs: number;
  readonly maxDeliveries: number;
  /** Delay before attempt 3, doubling to maxMs; attempt 2 goes out at once. */
  readonly backoff: { readonly initialMs: number; readonly maxMs: number };
  readonly maxNackDelayMs: number;
  readonly pull: {
    readonly maxMessages: number;
    readonly maxBytes: number;
    readonly maxWaitMs: number;
  };
  readonly push: { readonly maxCredit: number };
  /** Limits of all windows together; each partition has an equal share. */
  readonly queue: { readonly maxMessages: number; readonly maxBytes: number };
  /** A delivery that does not fit a frame of this size goes to the dead-letter topic as `oversize`. */
  readonly maxFrameBytes: number;
  /** Settled or counted records that asks for a commit before its interval is over. */
  readonly commitBatchSize: number;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
}

/** A partition's state at takeover. */
export interface Takeover {
  readonly partition: number;
  /** First offset to fetch and low watermark: the committed offset, or the initial position. */
  readonly watermark: Offset;
  /** Commit metadata as found, "" for none. */
  readonly metadata: string;
  /** What did not fit the metadata, as the former owner left it; valid only for this watermark. */
  readonly overflow?: Uint8Array | undefined;
}

export interface TakeoverReport {
  /** Where to fetch first: past long settled runs right above the watermark. */
  readonly fetchFrom: Offset;
  /** Words for the log when the metadata was not ours or broken and has been ignored. */
  readonly warning?: string;
}

/** One partition's part of an OffsetCommit. Opaque to the source but for these fields. */
export interface PartitionCommit {
  readonly partition: number;
  readonly offset: Offset;
  readonly metadata: string;
  /** Present at hand-over only, when the snapshot did not fit the metadata. */
  readonly overflow?: Uint8Array;
}

/** Most characters of commit metadata, before a broker refused some and since. */
export interface MetadataLimits {
  readonly before: number;
  readonly after: number;
}

export const dispositions = ["deliveries-exhausted", "rejected", "oversize"] as const;
export type Disposition = (typeof dispositions)[number];

/** A record whose deliveries are over; settled when `deadLettered` says that it is durable. */
export interface DeadRecord {
  readonly partition: number;
  readonly record: SourceRecord;
  readonly disposition: Disposition;
  readonly deliveries: number;
  /** The worker's reason, or words for exhaustion. */
  readonly message: string;
  /** Monotonic; undefined when no delivery of it was seen by this process. */
  readonly firstDeliveredAt: number | undefined;
  /** Client name of the last holder, "" when unknown. */
  readonly worker: string;
}

/** What dispatch asks of its owner. Called synchronously; must not throw. */
export interface DispatchEvents {
  dead(record: DeadRecord): void;
  /** Commit soon: a redelivery waits for its count, or commitBatchSize is reached. Said once until the next takeCommits. */
  commitWanted(): void;
  /** The partition's share has room again (half of it), or none left. */
  intake(partition: number, open: boolean): void;
}

/** One connection of a session, implemented by the listener. */
export interface SessionPort {
  /** Queues a frame; never throws, never blocks. */
  send(frame: Frame): void;
  /** False while too much waits to be written: nothing is delivered or offered to it until Dispatch.writable(). */
  readonly writable: boolean;
}

export interface SessionInfo {
  /** Unguessable, made by the listener. */
  readonly sessionId: string;
  readonly clientName: string;
  readonly mode: "pull" | "push";
}

export interface PartitionWatermark {
  readonly partition: number;
  readonly watermark: Offset;
}

export interface PartitionStatus extends PartitionWatermark {
  readonly next: Offset;
  readonly committed: Offset;
  readonly ready: number;
  readonly delayed: number;
  readonly inFlight: number;
  /** Dead, waiting for the dead-letter topic. */
  readonly dying: number;
  readonly settledAboveWatermark: number;
  readonly windowBytes: number;
  /** Settled records that no commit's snapshot covers. */
  readonly uncovered: number;
  readonly oldestUnsettled?: {
    readonly msgId: string;
    readonly state: string;
    readonly ageMs: number;
    readonly deliveries: number;
  };
}

export interface SessionStatus {
  readonly clientName: string;
  readonly mode: "pull" | "push";
  readonly connected: boolean;
  readonly inFlight: number;
  readonly credit: number;
}

/** Counters since the start, for metrics. */
export interface DispatchCounters {
  delivered: number;
  redelivered: number;
  acked: number;
  lateAcks: number;
  nacked: number;
  rejected: number;
  released: number;
  expired: number;
  extended: number;
  stale: number;
  presented: number;
  snapshotsIgnored: number;
  snapshotOverflows: number;
}

/** The rooms' one door: class Dispatch implements this. */
export interface DispatchPort {
  // partitions
  /** Takes a partition over and announces it (owned). Asking twice is an error of the caller. */
  assign(now: number, takeover: Takeover): TakeoverReport;
  /**
   * Admits records in order, up to the partition's share; idempotent: what is below the window's next or of a partition not owned is dropped.
   * Returns how many of `records` were taken (dropped ones count as taken); `nextOffset` counts only when all were.
   */
  admit(
    now: number,
    partition: number,
    records: readonly SourceRecord[],
    nextOffset: Offset,
  ): number;
  /** The first offset not below the window's next that is not known to be settled: a fetch may skip to it, over a long settled run. */
  nextWanted(partition: number): Offset | undefined;
  /** Orderly: from now on the partition is another's (frames about it are answered `moved`). Returns its last commit, hand-over flag set. */
  surrender(now: number, partition: number): PartitionCommit;
  /** The last commit of a partition that was given up, made anew for the room that there is by now. */
  surrenderAnew(commit: PartitionCommit): PartitionCommit;
  /** Disorderly: gone without a commit. */
  lose(now: number, partition: number): void;
  /**
   * The log begins at `offset` by now: what was not fetched below it is gone, what the window holds stays. Returns how
   * many offsets are gone of which nobody knows that they were settled.
   */
  expire(now: number, partition: number, offset: Offset): number;
  /** Begins anew at `offset` (the log's end moved down): all that the window held is dropped. */
  reset(now: number, partition: number, offset: Offset): void;
  /** Partitions with anything to say since their last confirmed commit; all with `all`. One take may be open per partition. */
  takeCommits(now: number, all?: boolean): PartitionCommit[];
  commitConfirmed(now: number, commit: PartitionCommit): void;
  /** `refused`: it fails again whenever it is tried, as far as the broker's answer tells. */
  commitFailed(now: number, commit: PartitionCommit, refused: boolean): void;
  /**
   * The broker takes no metadata as long as that of these: commits taken from now on have less. Undefined when there is
   * nothing more to leave out.
   */
  shortenMetadata(refused: readonly PartitionCommit[]): MetadataLimits | undefined;
  deadLettered(now: number, partition: number, offset: Offset): void;
  /** True while this very record waits to be dead-lettered; a late ack, a reset or another owner ends that. */
  isDying(record: DeadRecord): boolean;
  /** Delivery on or off as a whole: fenced, paused or draining. Acks are taken all the same. */
  setDelivering(now: number, on: boolean): void;
  /** The group's generation that our partitions are served under from now on; announced with them (owned). */
  setGeneration(now: number, generation: number): void;
  // sessions
  /** Sends `owned` over `port` before it returns, and nothing else. */
  open(now: number, session: SessionInfo, port: SessionPort): void;
  /** The connection is gone, the leases run on. */
  detach(now: number, sessionId: string, port: SessionPort): void;
  /** True: the session was known and goes on over `port`; `owned` and the cancels it missed are sent before it returns. */
  resume(now: number, sessionId: string, port: SessionPort): boolean;
  /** A graceful end. What it had not started it has released: what it still holds counts as a delivery that failed. */
  close(now: number, sessionId: string): void;
  /** Any frame of an open session but hello, ping and pong. */
  receive(now: number, sessionId: string, frame: Frame): void;
  /** The port can be written again. */
  writable(now: number, sessionId: string): void;
  // time
  /** Runs what is due: leases, backoff, waits, offers. */
  tick(now: number): void;
  /** When tick is needed next; undefined when nothing waits for time. */
  nextTickAt(): number | undefined;
  // eyes
  /** Records out that an answer may come for: what sessions hold, or may still present of a former owner's. */
  readonly inFlight: number;
  readonly ready: number;
  readonly windowBytes: number;
  readonly counters: Readonly<DispatchCounters>;
  /** For people: looks at every record of the windows. */
  partitions(now: number): PartitionStatus[];
  /** Every partition's low watermark; cheap, to be asked often. */
  watermarks(): PartitionWatermark[];
  sessions(now: number): SessionStatus[];
}
