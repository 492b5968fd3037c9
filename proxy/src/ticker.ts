import type { DispatchPort } from "./dispatch/index.ts";

/**
 * Longest time between two looks at what is due. Any frame may bring the next due time forward without our
 * being told; 50 looks a second cost nothing that can be measured, and bound how late anything is.
 */
const grainMs = 20;

/** The one timer that moves dispatch's time. */
export class Ticker {
  readonly #dispatch: Pick<DispatchPort, "tick" | "nextTickAt">;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;

  constructor(dispatch: Pick<DispatchPort, "tick" | "nextTickAt">, now: () => number) {
    this.#dispatch = dispatch;
    this.#now = now;
  }

  start(): void {
    this.#timer ??= setTimeout(() => {
      this.#run();
    }, grainMs);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #run(): void {
    const now = this.#now();
    const due = this.#dispatch.nextTickAt();
    if (due !== undefined && due <= now) this.#dispatch.tick(now);
    const next = this.#dispatch.nextTickAt();
    const delayMs = next === undefined ? grainMs : Math.max(1, Math.min(grainMs, next - now));
    this.#timer = setTimeout(() => {
      this.#run();
    }, delayMs);
  }
}
