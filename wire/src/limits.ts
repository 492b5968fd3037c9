import type { SessionLimits } from "./frames.ts";

/** TCP port of a proxy unless configured. */
export const defaultPort = 10666;

const mebibyte = 1024 * 1024;

/**
 * The limits that a proxy sends in welcome unless configured.
 *
 * A frame may be 64 KiB larger than a pull's bytes: room for what stands around the records.
 */
export const defaultLimits: SessionLimits = {
  ackTimeoutMs: 3_000,
  maxProcessingTimeMs: 30 * 60_000,
  maxPullMessages: 10,
  maxPullBytes: 16 * mebibyte,
  maxFrameBytes: 16 * mebibyte + 64 * 1024,
  heartbeatIntervalMs: 60_000,
};

/** Longest frame before welcome, in bytes: until then nobody knows whom they talk to. */
export const maxHelloFrameBytes = 64 * 1024;

/** A connection that has not said hello after this is closed, in ms. */
export const helloTimeoutMs = 10_000;

/** How long a new owner without a hand-over waits for `present` before it makes first deliveries, in ms. */
export const presentWaitMs = 500;

/** How long the records of an `available` are kept for the session that was told, in ms. */
export const offerTimeoutMs = 50;

/** Longest delay that a nack can ask for, in ms; more is cut to this. */
export const maxNackDelayMs = 15 * 60_000;

/** Pings in a row without an answer that close a connection. */
export const maxMissedHeartbeats = 2;

/** Longest `reason` and `message` in bytes; the encoder cuts at a character. */
export const maxWordsBytes = 4_096;
