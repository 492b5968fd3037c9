import { performance } from "node:perf_hooks";
import { type Deliver, defaultLimits, type Frame } from "@kafkaproxy/wire";
import { Book, type Hold, type LossReason } from "./book/index.ts";
import type { Consumer, ConsumerHost } from "./consume/index.ts";
import type { Logger } from "./logger.ts";
import { PullSupply, PushSupply, type Source, type Supply } from "./supply/index.ts";

/** How often demand is looked at without a cause, in ms: in push mode credit is moved by it. */
const supplyIntervalMs = { pull: 1_000, push: 100 };

export interface ExchangeOptions {
  readonly topic: string;
  readonly mode: "pull" | "push";
  readonly logger: Logger;
  readonly onLost: (hold: Hold, reason: LossReason) => void;
}

/**
 * Between sessions and consumers: gives each frame to the book or the supply, deliveries to who asked
 * for them, and keeps the two timers that move their time.
 */
export class Exchange implements ConsumerHost {
  readonly #options: ExchangeOptions;
  readonly #book: Book;
  readonly #supply: Supply;
  readonly #sessions = new Set<Source>();
  readonly #consumers = new Set<Consumer>();
  readonly #onSettled = new Set<() => void>();
  readonly #onAnswered = new Set<() => void>();
  /** For what comes when nobody wants it any more. */
  readonly #nobody = { renews: false, ended: () => undefined, renewed: () => undefined };
  #limits = defaultLimits;
  #scheduled = false;
  #supplyTimer: NodeJS.Timeout | undefined;
  #renewalTimer: NodeJS.Timeout | undefined;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#supply = options.mode === "pull" ? new PullSupply() : new PushSupply();
    this.#book = new Book(options.topic, {
      dirty: () => this.wake(),
      lost: (hold, reason) => {
        options.onLost(hold, reason);
        this.wake();
      },
      settled: () => callAll(this.#onSettled),
    });
  }

  start(): void {
    this.#setRenewalInterval();
    this.#supplyTimer = setInterval(() => this.wake(), supplyIntervalMs[this.#options.mode]);
  }

  /** Sends what waits, and stops the timers. */
  close(): void {
    this.#run();
    clearInterval(this.#supplyTimer);
    clearInterval(this.#renewalTimer);
  }

  get consumers(): readonly Consumer[] {
    return [...this.#consumers];
  }

  partitionsOf(session: Source): readonly number[] {
    return this.#book.partitionsOf(session);
  }

  heldBy(session: Source): number {
    return this.#book.heldBy(session);
  }

  /** Whether the connection matters right now: acks wait to be durable, or something is held from it. */
  needs(session: Source): boolean {
    return !this.#book.settled || this.#book.heldBy(session) > 0;
  }

  // ConsumerHost

  add(consumer: Consumer): void {
    this.#consumers.add(consumer);
    this.#supply.addTaker(consumer);
    this.wake();
  }

  remove(consumer: Consumer): void {
    this.#consumers.delete(consumer);
    this.#supply.removeTaker(consumer);
  }

  /** Once a turn of the event loop: what handlers said in it goes out together. */
  wake(): void {
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#run();
      });
    }
  }

  outstanding(consumer: Consumer): number {
    return this.#supply.outstanding(consumer);
  }

  abandon(hold: Hold): void {
    this.#book.abandon(hold);
  }

  settled(timeoutMs: number): Promise<void> {
    return waitUntil(this.#book.settlement(this.now()), this.#onSettled, timeoutMs);
  }

  /**
   * With all consumers gone: resolves when nothing that was asked for can come any more, or after `timeoutMs`. What
   * comes is handed back; left to the end of the session it would count as a delivery that failed.
   */
  quiet(timeoutMs: number): Promise<void> {
    this.#run();
    return waitUntil(() => !this.#supply.pending, this.#onAnswered, timeoutMs);
  }

  get ackTimeoutMs(): number {
    return this.#limits.ackTimeoutMs;
  }

  now(): number {
    return performance.now();
  }

  // Sessions

  up(session: Source, resumed: boolean): void {
    const now = this.now();
    this.#sessions.add(session);
    this.#limits = session.limits;
    this.#setRenewalInterval();
    this.#book.up(now, session, resumed);
    this.#supply.up(now, session);
    this.wake();
  }

  /** The connection is lost; the session may go on. */
  down(session: Source): void {
    this.#supply.down(this.now(), session);
    for (const consumer of this.#consumers) {
      consumer.answered();
    }
    callAll(this.#onAnswered);
    this.wake();
  }

  /** The proxy is gone for good. */
  dropped(session: Source): void {
    this.#sessions.delete(session);
    this.down(session);
    this.#book.dropped(this.now(), session);
  }

  frame(session: Source, frame: Frame): void {
    const now = this.now();
    switch (frame.type) {
      case "deliver":
        this.#deliver(now, session, frame);
        callAll(this.#onAnswered);
        break;
      case "available":
        this.#supply.available(now, session, frame);
        return;
      case "credit":
        this.#supply.credit(now, session, frame);
        callAll(this.#onAnswered);
        return;
      case "settled":
        this.#book.settledRanges(frame.ranges);
        return;
      case "owned":
        this.#book.owned(now, session, frame.generation, frame.partitions);
        break;
      case "present":
        this.#book.accepted(now, session, frame);
        return;
      case "cancel":
        this.#book.cancelled(now, session, frame.reason, frame.records);
        break;
      case "error":
        this.#book.refused(now, session, frame);
        break;
      default:
        this.#options.logger.warn({ type: frame.type }, "a proxy sent what only clients send");
        return;
    }
    this.wake();
  }

  #deliver(now: number, session: Source, frame: Deliver): void {
    const taker = this.#supply.delivered(now, session, frame.requestId, frame.records.length);
    // Every taker was added as a consumer.
    const consumer = taker as Consumer | undefined;
    const holds: Hold[] = [];
    for (const delivery of frame.records) {
      const hold = this.#book.take(now, session, delivery, consumer ?? this.#nobody);
      if (hold !== undefined) {
        holds.push(hold);
      }
    }
    if (consumer === undefined) {
      for (const hold of holds) {
        hold.release();
      }
      return;
    }
    consumer.accept(holds);
    consumer.answered();
  }

  #run(): void {
    const now = this.now();
    this.#book.flush(now);
    this.#supply.pump(now);
  }

  #setRenewalInterval(): void {
    clearInterval(this.#renewalTimer);
    let { ackTimeoutMs } = this.#limits;
    for (const { limits } of this.#sessions) {
      ackTimeoutMs = Math.min(ackTimeoutMs, limits.ackTimeoutMs);
    }
    const intervalMs = Math.max(10, ackTimeoutMs / 3);
    this.#renewalTimer = setInterval(() => {
      this.#book.tick(this.now(), intervalMs, this.#limits);
    }, intervalMs);
  }
}

function callAll(checks: ReadonlySet<() => void>): void {
  for (const check of checks) {
    check();
  }
}

/** Resolves when `isDone`, which is asked whenever one of `checks` is called, or after `timeoutMs`. */
function waitUntil(
  isDone: () => boolean,
  checks: Set<() => void>,
  timeoutMs: number,
): Promise<void> {
  if (isDone() || timeoutMs <= 0) {
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      checks.delete(check);
      resolve();
    };
    const check = () => {
      if (isDone()) {
        done();
      }
    };
    const timer = setTimeout(done, timeoutMs);
    checks.add(check);
  });
}
