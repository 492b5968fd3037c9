import { KafkaError } from "../errors.ts";
import type { MemberIdentity } from "./options.ts";

export interface HeartbeatOptions {
  readonly intervalMs: number;
  readonly now: () => number;
  send(identity: MemberIdentity): Promise<void>;
  succeeded(rebalancing: boolean): void;
  failed(error: KafkaError, identity: MemberIdentity): void;
}

/** One heartbeat every interval, one at a time, on a timer that waits for nothing else. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #timer: NodeJS.Timeout | undefined;
  #identity: MemberIdentity | undefined;
  #underWay = false;
  #lastAt = Number.NEGATIVE_INFINITY;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  get lastAt(): number {
    return this.#lastAt;
  }

  now(): number {
    return this.#options.now();
  }

  /** From now on under `identity`; `provenAt`: when the request was sent that the group has taken. */
  begin(identity: MemberIdentity, provenAt: number): void {
    this.#identity = identity;
    this.#lastAt = Math.max(this.#lastAt, provenAt);
    this.#timer ??= setInterval(() => void this.#beat(), this.#options.intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#identity = undefined;
  }

  async #beat(): Promise<void> {
    const identity = this.#identity;
    if (identity === undefined || this.#underWay) return;
    this.#underWay = true;
    const sentAt = this.#options.now();
    try {
      await this.#options.send(identity);
      this.#succeeded(sentAt, false);
    } catch (cause) {
      const error =
        cause instanceof KafkaError
          ? cause
          : new KafkaError("unreachable", `heartbeat: ${String(cause)}`, { cause });
      // The broker knows us and asks for a rejoin: as good as a heartbeat.
      if (error.code === "rebalance-in-progress") this.#succeeded(sentAt, true);
      else if (this.#identity !== undefined) this.#options.failed(error, identity);
    } finally {
      this.#underWay = false;
    }
  }

  #succeeded(sentAt: number, rebalancing: boolean): void {
    if (this.#identity === undefined) return;
    this.#lastAt = Math.max(this.#lastAt, sentAt);
    this.#options.succeeded(rebalancing);
  }
}
