// What a session keeps alive for its users (an ephemeral node, a watch) is brought into line by passes: on every
// connect, when a watch fires, and on a timer, as watches fire once and can be missed.
import type { Connection } from "./connection.ts";
import type { Logger } from "./logger.ts";
import { codeOf } from "./zookeeper-error.ts";

const retryMs = 500;

/** `full`: nothing that was known before this pass may be relied on. Returns when to come back, if sooner than usual. */
export type Pass = (connection: Connection, full: boolean) => Promise<number | undefined>;

export class ResyncLoop {
  readonly #what: string;
  readonly #periodMs: number;
  readonly #logger: Logger;
  readonly #pass: Pass;
  #connection: Connection | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #full = true;
  #failing = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(what: string, periodMs: number, logger: Logger, pass: Pass) {
    this.#what = what;
    this.#periodMs = periodMs;
    this.#logger = logger;
    this.#pass = pass;
  }

  /** The session is connected, and watches are gone. Resolves when a pass has been made or has failed. */
  resume(connection: Connection): Promise<void> {
    this.#connection = connection;
    this.#full = true;
    return this.trigger();
  }

  suspend(): void {
    this.#connection = undefined;
  }

  /** Makes a pass now; one more when one is under way, as it may have looked already. */
  trigger(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    let nextMs = this.#periodMs;
    while (this.#again && !this.#closed) {
      this.#again = false;
      const connection = this.#connection;
      if (connection === undefined) return;
      const full = this.#full;
      this.#full = false;
      try {
        nextMs = Math.min(this.#periodMs, (await this.#pass(connection, full)) ?? this.#periodMs);
        if (this.#failing) this.#logger.info({}, `${this.#what} works again`);
        this.#failing = false;
      } catch (error) {
        this.#full = true;
        nextMs = retryMs;
        // Not connected is no failure of the pass: resume() comes. Others are said once.
        if (codeOf(error) === "unavailable" || this.#failing) continue;
        this.#failing = true;
        this.#logger.warn({ err: error }, `${this.#what} failed; trying again`);
      }
    }
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (nextMs === this.#periodMs) this.#full = true;
      void this.trigger();
    }, nextMs);
  }
}
