import type { BackoffOptions } from "./backoff.ts";

export interface WorkQueueOptions {
  /** Failures of one key wait so long, doubling. Default 5 ms to 1,000 s, client-go's numbers. */
  readonly backoff?: BackoffOptions;
}

/**
 * Keys that wait to be worked on. A key is in it once however often it is added, and is never worked
 * on twice at once: added while it is worked on, it comes again afterwards.
 */
export class WorkQueue {
  readonly #backoff: BackoffOptions;
  /** In the order in which they are taken. */
  readonly #ready = new Set<string>();
  readonly #working = new Set<string>();
  /** Added again while they were worked on. */
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, { readonly at: number; readonly timer: NodeJS.Timeout }>();
  readonly #failures = new Map<string, number>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  #closed = false;

  constructor(options: WorkQueueOptions = {}) {
    this.#backoff = options.backoff ?? { firstMs: 5, maxMs: 1_000_000 };
  }

  /** Keys that could be taken now. */
  get depth(): number {
    return this.#ready.size;
  }

  /** Keys that are worked on. */
  get working(): number {
    return this.#working.size;
  }

  /** Keys that have failed and were not forgotten since. */
  get failing(): number {
    return this.#failures.size;
  }

  add(key: string): void {
    if (this.#closed) return;
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    const taker = this.#takers.shift();
    if (taker === undefined) {
      this.#ready.add(key);
    } else {
      this.#working.add(key);
      taker(key);
    }
  }

  /** Of several delays of one key the shortest counts. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    const at = performance.now() + ms;
    const known = this.#timers.get(key);
    if (known !== undefined) {
      if (known.at <= at) return;
      clearTimeout(known.timer);
    }
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      this.add(key);
    }, ms);
    this.#timers.set(key, { at, timer });
  }

  /** After a failure: each in a row waits twice as long as the one before, and none longer than `atMostMs`. Returns the wait. */
  addFailed(key: string, atMostMs = Infinity): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const { firstMs, maxMs } = this.#backoff;
    const ms = Math.min(atMostMs, maxMs, firstMs * 2 ** Math.min(failures, 40));
    this.addAfter(key, ms);
    return ms;
  }

  /** After a success: the next failure is a first one. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Resolves with a key that now is worked on until `done(key)`; with undefined once the queue is closed. */
  async take(): Promise<string | undefined> {
    if (this.#closed) return undefined;
    for (const key of this.#ready) {
      this.#ready.delete(key);
      this.#working.add(key);
      return key;
    }
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    this.#takers.push(resolve);
    return await promise;
  }

  done(key: string): void {
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
  }

  /** Takes nothing more in and gives nothing more out. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#ready.clear();
    this.#again.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
  }
}

/** Works on the queue's keys, `workers` at a time, until it is closed. `work` does not throw. */
export async function drainQueue(
  queue: WorkQueue,
  workers: number,
  work: (key: string) => Promise<void>,
): Promise<void> {
  const worker = async (): Promise<void> => {
    for (;;) {
      const key = await queue.take();
      if (key === undefined) return;
      try {
        await work(key);
      } finally {
        queue.done(key);
      }
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
}
