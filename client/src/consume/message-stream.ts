import type { Hold } from "../book/index.ts";
import type { Message } from "../message.ts";
import type { Consumer, ConsumerHost } from "./consumer.ts";
import { WaitingLine } from "./waiting-line.ts";

/** Settings of messages(). */
export interface MessagesOptions {
  /** Messages held at a time, yielded ones that are not settled included. Default 10. */
  readonly maxInFlight?: number;
}

/** The messages of a `for await`; leases of what it has yielded are renewed until it is settled. */
export class MessageStream implements AsyncIterableIterator<Message>, Consumer {
  readonly renews = true;
  readonly serial = false;
  readonly batch: number;
  readonly maxBytes = Number.POSITIVE_INFINITY;
  readonly #host: ConsumerHost;
  readonly #maxInFlight: number;
  readonly #waiting = new WaitingLine();
  /** Yielded and not settled. */
  readonly #yielded = new Set<Hold>();
  #readers: ((result: IteratorResult<Message>) => void)[] = [];
  #draining: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(maxInFlight: number, host: ConsumerHost) {
    this.#maxInFlight = maxInFlight;
    this.#host = host;
    this.batch = Math.max(1, Math.min(10, maxInFlight >> 2));
  }

  get capacity(): number {
    return this.#draining === undefined ? this.#maxInFlight : 0;
  }

  get used(): number {
    return this.#yielded.size + this.#waiting.length;
  }

  get idle(): boolean {
    return this.#readers.length > 0 && this.#waiting.length === 0;
  }

  accept(holds: readonly Hold[]): void {
    for (const hold of holds) {
      this.#waiting.push(hold);
    }
    if (this.#draining !== undefined) {
      this.#waiting.releaseAll();
      return;
    }
    while (this.#readers.length > 0) {
      const message = this.#take();
      if (message === undefined) {
        return;
      }
      this.#readers.shift()?.({ done: false, value: message });
    }
  }

  answered(): void {
    // Waits for no particular answer.
  }

  renewed(): void {
    // Nobody counts here.
  }

  ended(hold: Hold): void {
    if (!hold.started) {
      this.#waiting.left();
    }
    this.#yielded.delete(hold);
    this.#host.wake();
    if (this.#yielded.size === 0) {
      this.#onIdle?.();
    }
  }

  next(): Promise<IteratorResult<Message>> {
    const message = this.#draining === undefined ? this.#take() : undefined;
    if (message !== undefined) {
      return Promise.resolve({ done: false, value: message });
    }
    if (this.#draining !== undefined) {
      return Promise.resolve({ done: true, value: undefined });
    }
    this.#host.wake();
    return new Promise((resolve) => {
      this.#readers.push(resolve);
    });
  }

  /** Leaving a `for await`: what was not yielded is handed back; what was stays with its holder. */
  return(): Promise<IteratorResult<Message>> {
    void this.#stop();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  drain({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    return this.#stop(timeoutMs);
  }

  #stop(timeoutMs = 0): Promise<void> {
    if (this.#draining === undefined) {
      this.#draining = this.#untilIdle(timeoutMs);
      this.#waiting.releaseAll();
      this.#host.remove(this);
      this.#host.wake();
      for (const reader of this.#readers) {
        reader({ done: true, value: undefined });
      }
      this.#readers = [];
    }
    return this.#draining;
  }

  async #untilIdle(timeoutMs: number): Promise<void> {
    const until = this.#host.now() + timeoutMs;
    if (this.#yielded.size > 0 && timeoutMs > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    await this.#host.settled(Math.max(0, until - this.#host.now()));
  }

  #take(): Message | undefined {
    const hold = this.#waiting.shift();
    if (hold === undefined) {
      return undefined;
    }
    this.#yielded.add(hold);
    return hold.message;
  }
}
