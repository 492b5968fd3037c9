import type { Hold, Sink } from "../book/index.ts";
import type { Taker } from "../supply/index.ts";

/** Takes deliveries: asked through Taker, filled through accept, told of ends through Sink. */
export interface Consumer extends Taker, Sink {
  accept(holds: readonly Hold[]): void;
  /** A request of it was answered, or will never be. */
  answered(): void;
  /** Takes nothing more, and ends; never rejects. */
  drain(options: { readonly timeoutMs: number }): Promise<void>;
}

/** What consumers ask of the client. */
export interface ConsumerHost {
  add(consumer: Consumer): void;
  remove(consumer: Consumer): void;
  /** Room has been made, or something waits to be sent. */
  wake(): void;
  outstanding(consumer: Consumer): number;
  abandon(hold: Hold): void;
  /** Resolves when every ack given up to now is durable, or after `timeoutMs`. */
  settled(timeoutMs: number): Promise<void>;
  readonly ackTimeoutMs: number;
  /** Monotonic, in ms. */
  now(): number;
}
