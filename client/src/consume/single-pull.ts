import type { Hold } from "../book/index.ts";
import { ClientError } from "../client-error.ts";
import type { Message } from "../message.ts";
import type { Consumer, ConsumerHost } from "./consumer.ts";

/** Settings of pull(). */
export interface PullOptions {
  /** Most messages. Default 10. */
  readonly max?: number;
  /** Most bytes of messages; the first comes whatever its size. Default: the proxy's limit (16 MiB). */
  readonly maxBytes?: number;
  /** How long to wait for the first message, in ms. Default 30,000. */
  readonly waitMs?: number;
  /** Ends the wait with an error. */
  readonly signal?: AbortSignal;
}

/** A proxy that does not answer is not waited for any longer than this; what it sends later is handed back. */
const patienceMs = 1_000;

/** One pull(): takes what comes until something has come, then waits only for what was asked for already. */
export class SinglePull implements Consumer {
  readonly renews = false;
  readonly batch = 1;
  readonly maxBytes: number;
  readonly serial: boolean;
  readonly result: Promise<Message[]>;
  readonly #host: ConsumerHost;
  readonly #max: number;
  readonly #taken: Hold[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #overdue: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;
  #open = true;
  #done = false;
  #resolve: (messages: Message[]) => void = () => undefined;
  #reject: (error: ClientError) => void = () => undefined;

  constructor(options: PullOptions, host: ConsumerHost) {
    this.#host = host;
    this.#max = options.max ?? 10;
    this.maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
    // Two answers at a time could be twice the bytes.
    this.serial = options.maxBytes !== undefined;
    this.#signal = options.signal;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#timer = setTimeout(() => this.#close(), options.waitMs ?? 30_000);
    this.#overdue = setTimeout(
      () => this.#end(),
      Math.min((options.waitMs ?? 30_000) + patienceMs, 2 ** 31 - 1),
    );
    this.#signal?.addEventListener("abort", this.#abort);
    if (this.#signal?.aborted === true) {
      this.#abort();
    }
  }

  get capacity(): number {
    return this.#open ? this.#max : 0;
  }

  get used(): number {
    return this.#taken.length;
  }

  get idle(): boolean {
    return this.#open;
  }

  accept(holds: readonly Hold[]): void {
    for (const hold of holds) {
      if (this.#done) {
        hold.release();
      } else {
        hold.started = true;
        this.#taken.push(hold);
      }
    }
    if (holds.length > 0) {
      this.#close();
    }
  }

  answered(): void {
    if (!this.#open && this.#host.outstanding(this) === 0) {
      this.#end();
    }
  }

  renewed(): void {
    // Nobody counts here.
  }

  ended(): void {
    // Its messages are the caller's.
  }

  async drain({ timeoutMs }: { readonly timeoutMs: number }): Promise<void> {
    this.#close();
    const timer = setTimeout(() => this.#end(), timeoutMs);
    await this.result.catch(() => undefined); // told to the caller of pull()
    clearTimeout(timer);
  }

  #end(): void {
    if (!this.#done) {
      this.#finish();
      this.#resolve(
        this.#taken.filter(({ phase }) => phase === "held").map(({ message }) => message),
      );
    }
  }

  #close(): void {
    this.#open = false;
    this.answered();
  }

  readonly #abort = (): void => {
    this.#open = false;
    if (!this.#done) {
      this.#finish();
      for (const hold of this.#taken) {
        hold.release();
      }
      this.#reject(
        new ClientError("aborted", "pull() was aborted by its signal.", {
          cause: this.#signal?.reason,
        }),
      );
    }
  };

  #finish(): void {
    this.#done = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#overdue);
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#host.remove(this);
  }
}
