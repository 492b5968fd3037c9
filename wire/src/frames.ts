/**
 * The frames between a proxy and its clients, as values. `docs/protocol.md` says every byte.
 *
 * A record is named (partition, offset, attempt): the attempt is the 1-based count of its deliveries.
 * Leases travel as remaining milliseconds, never as clock times.
 */

/** Offset of a record in its partition: a safe integer >= 0. */
export type Offset = number;

/** One delivery of one record. */
export interface RecordRef {
  readonly partition: number;
  readonly offset: Offset;
  /** 1 for the first delivery. */
  readonly attempt: number;
}

/** The offsets `first` to `last` of one partition, both included. */
export interface OffsetRange {
  readonly partition: number;
  readonly first: Offset;
  readonly last: Offset;
}

/** How a session gets its records. */
export type DeliveryMode = "pull" | "push";

/** What a proxy allows; sent in welcome. */
export interface SessionLimits {
  /** Lease of a delivery, in ms, unless extended. */
  readonly ackTimeoutMs: number;
  /** Longest time that one delivery can be extended to, in ms. */
  readonly maxProcessingTimeMs: number;
  readonly maxPullMessages: number;
  readonly maxPullBytes: number;
  readonly maxFrameBytes: number;
  /** A side that sent nothing for this long sends a ping; two in a row unanswered close the connection. */
  readonly heartbeatIntervalMs: number;
}

/** First frame of a client. */
export interface Hello {
  readonly type: "hello";
  /** Lowest and highest protocol version that the client speaks. */
  readonly minProtocol: number;
  readonly maxProtocol: number;
  readonly features: readonly string[];
  /** Session to go on with, "" for a new one. */
  readonly sessionId: string;
  /** Bearer token, "" for none. */
  readonly token: string;
  /** What the client believes it talks to; a mismatch is refused. */
  readonly namespace: string;
  readonly topic: string;
  readonly consumerGroup: string;
  readonly mode: DeliveryMode;
  /** For people, in /status and dead letters: a pod's name, say. */
  readonly clientName: string;
}

/** The proxy's answer to hello. */
export interface Welcome {
  readonly type: "welcome";
  readonly protocol: number;
  readonly features: readonly string[];
  /** Unguessable; to be given again in hello after a lost connection. */
  readonly sessionId: string;
  /** True when the session of hello went on with its leases; false when this is a new one. */
  readonly resumed: boolean;
  /** Name of the proxy. */
  readonly instance: string;
  readonly limits: SessionLimits;
}

/** The whole list of the partitions that this proxy serves; after welcome and at every change of either field. */
export interface Owned {
  readonly type: "owned";
  readonly partitions: readonly number[];
  /**
   * Generation of the consumer group under which it serves them, 0 before it has one. Of two proxies that name the
   * same partition the one with the higher generation is right: the other was cut off from the group.
   */
  readonly generation: number;
}

/**
 * Asks for records.
 * - "claim": the request holds up to `waitMs` until at least one record is ready; a deliver with this requestId answers it (with no records when the wait is over).
 * - "offer": when nothing is ready the session is put on the list of the waiting for `waitMs`, answered at once by an empty deliver, and told by `available`. It holds no claim on the worker's slots.
 */
export interface Pull {
  readonly type: "pull";
  /** Chosen by the client, 1 to 2^32-1; echoed in deliver. */
  readonly requestId: number;
  /** 0 declines the offer `offerId`, and is answered by nothing. */
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** 0 answers at once. */
  readonly waitMs: number;
  readonly wait: "claim" | "offer";
  /** The available frame that this answers, 0 for none. */
  readonly offerId: number;
}

/** Records are ready and kept for this session for 50 ms; answered by a pull that names the offer. */
export interface Available {
  readonly type: "available";
  readonly offerId: number;
  readonly count: number;
}

/** A record as it stands in Kafka, and its lease. */
export interface Delivery extends RecordRef {
  /** Time left to ack, in ms. */
  readonly leaseMs: number;
  /** Timestamp of the record in Kafka, ms since 1970; -1 for none. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** The record's headers as one block, see headers.ts: byte for byte as in Kafka. */
  readonly headers: Uint8Array;
}

/** Records for the session: the answer to a pull, or pushed (requestId 0). */
export interface Deliver {
  readonly type: "deliver";
  readonly requestId: number;
  readonly records: readonly Delivery[];
}

/** These records are done. Valid from any session that ever held them. */
export interface Ack {
  readonly type: "ack";
  readonly ranges: readonly OffsetRange[];
}

/** Acks that are durable (committed): the client can forget them. */
export interface Settled {
  readonly type: "settled";
  readonly ranges: readonly OffsetRange[];
}

/** Deliver again, after `delayMs` (-1: the proxy's backoff). Needs the current attempt. */
export interface Nack {
  readonly type: "nack";
  readonly record: RecordRef;
  readonly delayMs: number;
  readonly reason: string;
}

/** Straight to the dead-letter topic. Needs the current attempt. */
export interface Reject {
  readonly type: "reject";
  readonly record: RecordRef;
  readonly reason: string;
}

/** Renews leases for another ackTimeoutMs from now. Needs the current attempts. */
export interface Extend {
  readonly type: "extend";
  /** True: all that the session holds but `except`. False: `records`. */
  readonly all: boolean;
  readonly except: readonly OffsetRange[];
  readonly records: readonly RecordRef[];
}

/** Handed back unstarted: ready again at once, and the delivery does not count. */
export interface Release {
  readonly type: "release";
  readonly records: readonly RecordRef[];
}

/** A record that the client holds, or has acked without having seen it settled. */
export interface PresentedRecord extends RecordRef {
  readonly state: "held" | "acked";
}

/**
 * Client to a partition's new owner: what it holds and what it has acked there.
 * Proxy to client: the held ones that it accepted, now leased to this session for `leaseMs`; what was not accepted is cancelled.
 */
export interface Present {
  readonly type: "present";
  readonly leaseMs: number;
  readonly records: readonly PresentedRecord[];
}

/**
 * Push mode. Client to proxy: `delta` > 0 grants, < 0 revokes.
 * Proxy to client: confirms a revocation; `delta` (<= 0) is what was really taken back, the rest has been used by deliveries sent before this frame.
 */
export interface Credit {
  readonly type: "credit";
  /** Chosen by the client, echoed in the confirmation. */
  readonly requestId: number;
  readonly delta: number;
}

/** Why a session no longer holds a record. */
export const cancelReasons = ["settled", "expired", "moved", "stale"] as const;
export type CancelReason = (typeof cancelReasons)[number];

/** Proxy to client: you no longer hold these. */
export interface Cancel {
  readonly type: "cancel";
  readonly reason: CancelReason;
  readonly records: readonly RecordRef[];
}

export interface Ping {
  readonly type: "ping";
  /** Echoed in pong, 0 to 2^32-1. */
  readonly nonce: number;
}

export interface Pong {
  readonly type: "pong";
  readonly nonce: number;
}

/** The sender is about to close: ask for nothing more, finish what is held within `graceMs`. */
export interface Goaway {
  readonly type: "goaway";
  readonly graceMs: number;
  readonly reason: string;
}

/** What went wrong; `records` is empty where it is about the connection, which is then closed. */
export interface ErrorFrame {
  readonly type: "error";
  readonly code: ErrorCode;
  readonly message: string;
  readonly records: readonly RecordRef[];
}

/**
 * - about records: `stale` (not the current attempt), `moved` (the partition is another proxy's now), `not-held` (this session never held it);
 * - about the connection: all others.
 */
export const errorCodes = [
  "stale",
  "moved",
  "not-held",
  "protocol-version",
  "protocol-error",
  "frame-too-large",
  "unauthorized",
  "wrong-target",
  "not-a-client",
  "too-many-connections",
  "too-slow",
  "heartbeat-lost",
  "session-taken-over",
  "draining",
  "internal",
] as const;
export type ErrorCode = (typeof errorCodes)[number];

export type Frame =
  | Hello
  | Welcome
  | Owned
  | Pull
  | Available
  | Deliver
  | Ack
  | Settled
  | Nack
  | Reject
  | Extend
  | Release
  | Present
  | Credit
  | Cancel
  | Ping
  | Pong
  | Goaway
  | ErrorFrame;

export type FrameType = Frame["type"];
