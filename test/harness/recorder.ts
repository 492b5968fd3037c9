import type { Message } from "@kafkaproxy/client";

/** One delivery as a worker saw it; times are of performance.now(). */
export interface SeenDelivery {
  readonly worker: string;
  readonly attempt: number;
  readonly startedAt: number;
  finishedAt: number | undefined;
}

/** What all workers of a test saw, by msgId: the judge of lost, duplicate and late. */
export class Recorder {
  readonly deliveries = new Map<string, SeenDelivery[]>();
  readonly byWorker = new Map<string, number>();
  /** Longest time between two starts of deliveries since `watch()`. */
  #lastStart = performance.now();
  #longestGapMs = 0;

  /** Wraps a handler so that what it does is recorded. */
  handler(
    worker: string,
    handle: (message: Message, signal: AbortSignal) => unknown = () => undefined,
  ): (message: Message, context: { signal: AbortSignal }) => Promise<void> {
    return async (message, { signal }) => {
      const seen: SeenDelivery = {
        worker,
        attempt: message.attempt,
        startedAt: performance.now(),
        finishedAt: undefined,
      };
      this.#longestGapMs = Math.max(this.#longestGapMs, seen.startedAt - this.#lastStart);
      this.#lastStart = seen.startedAt;
      const all = this.deliveries.get(message.msgId);
      if (all === undefined) this.deliveries.set(message.msgId, [seen]);
      else all.push(seen);
      this.byWorker.set(worker, (this.byWorker.get(worker) ?? 0) + 1);
      await handle(message, signal);
      seen.finishedAt = performance.now();
    };
  }

  /** Messages that some worker finished. */
  get finished(): number {
    let count = 0;
    for (const all of this.deliveries.values()) {
      if (all.some(({ finishedAt }) => finishedAt !== undefined)) count += 1;
    }
    return count;
  }

  /** Deliveries that began after a worker had finished the message and sent its ack. */
  duplicates(): { msgId: string; deliveries: SeenDelivery[] }[] {
    return [...this.deliveries]
      .filter(([, all]) => {
        const first = Math.min(...all.map(({ finishedAt }) => finishedAt ?? Infinity));
        return all.some(({ startedAt }) => startedAt > first);
      })
      .map(([msgId, deliveries]) => ({ msgId, deliveries }));
  }

  /** Starts a new measurement of the longest time without a delivery. */
  watch(): void {
    this.#lastStart = performance.now();
    this.#longestGapMs = 0;
  }

  get longestGapMs(): number {
    return Math.max(this.#longestGapMs, performance.now() - this.#lastStart);
  }
}
