import type { Hold } from "../book/index.ts";
import { wordsOf } from "../client-error.ts";
import type { Message } from "../message.ts";
import type { Consumer, ConsumerHost } from "./consumer.ts";
import { WaitingLine } from "./waiting-line.ts";

/** Beside the message, for a handler. */
export interface HandlerContext {
  /** Aborts when the message is no longer ours; see Message.signal. */
  readonly signal: AbortSignal;
}

/** Returning is an ack, throwing is a nack with the error's message as its reason. */
export type Handler = (message: Message, context: HandlerContext) => unknown;

/** Settings of work(). */
export interface WorkOptions {
  /** Handlers at a time. Default 10. */
  readonly concurrency?: number;
  /**
   * Messages held ready beyond that. Default: as many as `concurrency`, at most 10.
   * While handlers take longer than a quarter of the ack time-out nothing is held ready, so that others can have it.
   */
  readonly prefetch?: number;
  /** Bytes of one request's messages; the first comes whatever its size. Default: the proxy's limit (16 MiB). */
  readonly maxBytes?: number;
}

/** What a worker has done so far, in messages. */
export interface WorkerStats {
  /** Delivered to it. */
  readonly received: number;
  /** Handlers that returned, or acked in between. */
  readonly acked: number;
  /** Handlers that threw, or nacked in between. */
  readonly nacked: number;
  /** Sent to the dead-letter topic by a handler's reject. */
  readonly rejected: number;
  /** Handed back unstarted. */
  readonly released: number;
  /** No longer ours before they were settled. A late ack that counts all the same is not taken off again. */
  readonly leaseLost: number;
  /** Renewals of leases. */
  readonly renewed: number;
}

/** Handlers at work; made by work(). */
export interface Worker {
  /** Handlers that run, and messages held ready for them. */
  readonly inFlight: number;
  /** Counters since work() began it: a snapshot, made at each reading. */
  readonly stats: WorkerStats;
  /** Resolves when the worker has been drained; never rejects. */
  readonly finished: Promise<void>;
  /**
   * Takes nothing more, hands back what has not started, lets running handlers finish and waits until
   * their acks are durable; all that within `timeoutMs` (default 30,000). Handlers that take longer see
   * their signal abort. Never rejects.
   */
  drain(options?: { readonly timeoutMs?: number }): Promise<void>;
}

type Counters = { -readonly [Name in keyof WorkerStats]: WorkerStats[Name] };

/** Runs up to `concurrency` handlers at a time. A handler's error is its message's end, never the worker's. */
export class HandlerWorker implements Worker, Consumer {
  readonly renews = true;
  readonly serial = false;
  readonly batch: number;
  readonly maxBytes: number;
  readonly finished: Promise<void>;
  readonly #handler: Handler;
  readonly #host: ConsumerHost;
  readonly #concurrency: number;
  readonly #maxPrefetch: number;
  readonly #waiting = new WaitingLine();
  readonly #running = new Set<Hold>();
  readonly #counters: Counters = {
    received: 0,
    acked: 0,
    nacked: 0,
    rejected: 0,
    released: 0,
    leaseLost: 0,
    renewed: 0,
  };
  #prefetch: number;
  #starting = false;
  #draining: Promise<void> | undefined;
  #finish: () => void = () => undefined;
  #onIdle: (() => void) | undefined;

  constructor(handler: Handler, options: Required<WorkOptions>, host: ConsumerHost) {
    this.#handler = handler;
    this.#host = host;
    this.#concurrency = options.concurrency;
    this.#maxPrefetch = options.prefetch;
    this.#prefetch = options.prefetch;
    this.batch = Math.max(1, Math.min(10, options.prefetch >> 1));
    this.maxBytes = options.maxBytes;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  get stats(): WorkerStats {
    return { ...this.#counters };
  }

  get inFlight(): number {
    return this.used;
  }

  get capacity(): number {
    return this.#draining === undefined ? this.#concurrency + this.#prefetch : 0;
  }

  get used(): number {
    return this.#running.size + this.#waiting.length;
  }

  get idle(): boolean {
    return this.#running.size < this.#concurrency;
  }

  accept(holds: readonly Hold[]): void {
    this.#counters.received += holds.length;
    for (const hold of holds) {
      this.#waiting.push(hold);
    }
    if (this.#draining !== undefined) {
      this.#waiting.releaseAll();
    }
    this.#start();
  }

  answered(): void {
    // A worker waits for no particular answer.
  }

  renewed(): void {
    this.#counters.renewed++;
  }

  ended(hold: Hold): void {
    switch (hold.phase) {
      case "acked":
        this.#counters.acked++;
        break;
      case "lost":
        this.#counters.leaseLost++;
        break;
      default:
        this.#countReturned(hold);
    }
    if (!hold.started) {
      this.#waiting.left();
      // It has waited in vain: until handlers are quick again, others can have what would wait here.
      this.#prefetch = 0;
    }
  }

  #countReturned(hold: Hold): void {
    if (hold.verdict === "nack") {
      this.#counters.nacked++;
    } else if (hold.verdict === "reject") {
      this.#counters.rejected++;
    } else {
      this.#counters.released++;
    }
  }

  drain({ timeoutMs = 30_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#draining ??= this.#drain(timeoutMs);
    return this.#draining;
  }

  async #drain(timeoutMs: number): Promise<void> {
    const until = this.#host.now() + timeoutMs;
    // After this the promise is set, so that nothing is taken from here on.
    await Promise.resolve();
    this.#waiting.releaseAll();
    this.#host.remove(this);
    this.#host.wake();
    await this.#idle(timeoutMs);
    for (const hold of this.#running) {
      this.#host.abandon(hold);
    }
    await this.#host.settled(Math.max(0, until - this.#host.now()));
    this.#finish();
  }

  #idle(timeoutMs: number): Promise<void> {
    if (this.#running.size === 0) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** A loop, not a recursion: a handler that is done at once must not deepen the stack. */
  #start(): void {
    if (this.#starting) {
      return;
    }
    this.#starting = true;
    while (this.#running.size < this.#concurrency) {
      const hold = this.#waiting.shift();
      if (hold === undefined) {
        break;
      }
      this.#run(hold);
    }
    this.#starting = false;
  }

  #run(hold: Hold): void {
    this.#running.add(hold);
    const startedAt = this.#host.now();
    let result: unknown;
    try {
      result = this.#handler(hold.message, hold.message);
    } catch (error) {
      hold.nack(-1, wordsOf(error));
      this.#handlerEnded(hold, startedAt);
      return;
    }
    if (!isThenable(result)) {
      hold.ack();
      this.#handlerEnded(hold, startedAt);
      return;
    }
    void this.#settle(hold, startedAt, result);
  }

  async #settle(hold: Hold, startedAt: number, result: PromiseLike<unknown>): Promise<void> {
    try {
      await result;
      hold.ack();
    } catch (error) {
      hold.nack(-1, wordsOf(error));
    }
    this.#handlerEnded(hold, startedAt);
  }

  #handlerEnded(hold: Hold, startedAt: number): void {
    this.#running.delete(hold);
    if (this.#prefetch < this.#maxPrefetch) {
      const tookMs = this.#host.now() - startedAt;
      if (tookMs < this.#host.ackTimeoutMs / 4) {
        this.#prefetch++;
      }
    }
    this.#host.wake();
    if (this.#running.size === 0) {
      this.#onIdle?.();
    }
    this.#start();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  );
}
