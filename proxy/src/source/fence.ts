/**
 * Self-fencing: a proxy that was frozen or cut off stops delivering by itself before its partitions can
 * be elsewhere. A pure state machine: time comes in as monotonic milliseconds, nothing is scheduled here.
 *
 * It is asked at every reading of the proxy's clock, not by a timer alone: after a freeze the event loop may
 * hand over a socket's bytes before it runs the timer that would have noticed.
 */
export type FenceReason = "no-heartbeat" | "frozen" | "refused";

export interface FenceOptions {
  /** The group's session time-out: after it the coordinator gives our partitions away. */
  readonly sessionTimeoutMs: number;
  /** Called with the reason when the fence closes, with undefined when it opens. Synchronous. */
  readonly changed: (reason: FenceReason | undefined) => void;
}

/** How long before the session's end delivery stops: time for a record on its way to be refused rather than doubled. */
const safetyMs = 2_000;

export class Fence {
  readonly #options: FenceOptions;
  /** A session without a heartbeat for this long is no longer trusted. */
  readonly #trustMs: number;
  readonly #gapMs: number;
  #reason: FenceReason | undefined;
  #seenAt: number | undefined;
  /** Sending time of the last heartbeat that was answered. */
  #heartbeatAt: number | undefined;
  /** Only a heartbeat sent after this opens the fence. */
  #closedAt = 0;

  constructor(options: FenceOptions) {
    this.#options = options;
    this.#trustMs = Math.max(options.sessionTimeoutMs - safetyMs, options.sessionTimeoutMs / 2);
    this.#gapMs = options.sessionTimeoutMs / 2;
  }

  /** Why nothing is delivered; undefined while all is well. */
  get reason(): FenceReason | undefined {
    return this.#reason;
  }

  /** Every reading of the clock passes here. */
  observe(now: number): void {
    const seenAt = this.#seenAt;
    this.#seenAt = now;
    // Before the first join there is no session that could end.
    if (this.#heartbeatAt === undefined) return;
    if (seenAt !== undefined && now - seenAt > this.#gapMs) this.#close(now, "frozen");
    else if (this.#reason === undefined && now - this.#heartbeatAt > this.#trustMs) {
      this.#close(now, "no-heartbeat");
    }
  }

  /** The last heartbeat that succeeded was sent at `sentAt`. Asking again with the same is harmless. */
  heartbeat(sentAt: number): void {
    if (this.#heartbeatAt !== undefined && sentAt <= this.#heartbeatAt) return;
    this.#heartbeatAt = sentAt;
    if (this.#reason !== undefined && sentAt > this.#closedAt) {
      this.#reason = undefined;
      this.#options.changed(undefined);
    }
  }

  /** The coordinator has refused our member or generation. */
  refused(now: number): void {
    this.#close(now, "refused");
  }

  #close(now: number, reason: FenceReason): void {
    this.#closedAt = now;
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#options.changed(reason);
  }
}
