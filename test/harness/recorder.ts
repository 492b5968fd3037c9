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

  /** Deliveries that began later than this. */
  startsAfter(at: number): number {
    let count = 0;
    for (const all of this.deliveries.values()) {
      count += all.filter(({ startedAt }) => startedAt > at).length;
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

  /** Longest time between these two in which no delivery began, of any partition or of one. */
  longestGapMs(from: number, to: number, partition?: number): number {
    const starts = this.#of(partition).flatMap((all) => all.map(({ startedAt }) => startedAt));
    const times = [from, ...starts.filter((at) => at > from && at < to), to].sort((a, b) => a - b);
    return Math.max(...times.slice(1).map((at, i) => at - (times[i] ?? at)));
  }

  /** Messages of a partition whose first delivery began by then. */
  startedBy(at: number, partition: number): number {
    return this.#of(partition).filter(([first]) => first !== undefined && first.startedAt <= at)
      .length;
  }

  #of(partition: number | undefined): SeenDelivery[][] {
    return [...this.deliveries]
      .filter(([msgId]) => partition === undefined || Number(msgId.split(":")[1]) === partition)
      .map(([, all]) => all);
  }
}
