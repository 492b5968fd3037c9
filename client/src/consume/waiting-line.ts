import type { Hold } from "../book/index.ts";

/** Below this, moving the rest down costs more than the memory. */
const compactFrom = 1_024;

/** Prefetched deliveries, oldest first. Those that were lost or handed back meanwhile are passed over. */
export class WaitingLine {
  #holds: Hold[] = [];
  #head = 0;
  #live = 0;

  /** Those that can still be started. */
  get length(): number {
    return this.#live;
  }

  push(hold: Hold): void {
    this.#holds.push(hold);
    this.#live++;
  }

  /** The oldest one, now started. */
  shift(): Hold | undefined {
    for (;;) {
      const hold = this.#holds[this.#head];
      if (hold === undefined) {
        this.#holds = [];
        this.#head = 0;
        return undefined;
      }
      this.#head++;
      if (this.#head === compactFrom) {
        this.#holds.splice(0, this.#head);
        this.#head = 0;
      }
      if (hold.phase === "held") {
        this.#live--;
        hold.started = true;
        return hold;
      }
    }
  }

  /** One of them ended unstarted. */
  left(): void {
    this.#live--;
  }

  releaseAll(): void {
    const rest = this.#holds.slice(this.#head);
    this.#holds = [];
    this.#head = 0;
    for (const hold of rest) {
      hold.release();
    }
  }
}
