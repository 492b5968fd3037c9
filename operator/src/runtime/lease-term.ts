/**
 * One time of leading: from when the lease was taken until it was not renewed in time, or another has
 * it. Once lost it stays lost, whatever answer comes later: the work was told to stop.
 */
export class LeaseTerm {
  readonly #deadlineMs: number;
  readonly #lost = new AbortController();
  #renewedAt: number;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param renewedAt monotonic ms: when the request that took the lease was begun.
   * @param deadlineMs without a renewal for so long it is lost.
   */
  constructor(renewedAt: number, deadlineMs: number) {
    this.#renewedAt = renewedAt;
    this.#deadlineMs = deadlineMs;
    this.#arm();
  }

  /** Aborts when it is lost, with the reason in words, at the deadline even if a renewal is under way. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** The lease is ours, and nobody can have taken it. A process that was frozen finds out here. */
  get held(): boolean {
    if (!this.#lost.signal.aborted && this.#leftMs() <= 0) this.#expire();
    return !this.#lost.signal.aborted;
  }

  /** A renewal that was begun then has succeeded. Too late it changes nothing. */
  renewed(beganAt: number): void {
    if (!this.held) return;
    this.#renewedAt = beganAt;
    this.#arm();
  }

  /** No more of it. */
  lose(why: string): void {
    clearTimeout(this.#timer);
    this.#lost.abort(why);
  }

  /** Its timer ends; it is not lost by that. */
  close(): void {
    clearTimeout(this.#timer);
  }

  #leftMs(): number {
    return Math.max(0, this.#renewedAt + this.#deadlineMs - performance.now());
  }

  #arm(): void {
    clearTimeout(this.#timer);
    // Timers may come a little early.
    this.#timer = setTimeout(
      () => (this.#leftMs() > 0 ? this.#arm() : this.#expire()),
      this.#leftMs(),
    );
  }

  #expire(): void {
    this.lose("the lease is not renewed in time");
  }
}
