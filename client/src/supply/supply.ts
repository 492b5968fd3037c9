import type { Available, Credit } from "@kafkaproxy/wire";
import type { Outlet } from "../book/index.ts";

/** A proxy's session that can be asked for records. */
export interface Source extends Outlet {
  /** Up, and neither going away nor slow to take our frames. */
  readonly asking: boolean;
}

/** Somebody who wants records. */
export interface Taker {
  /** Room for this many at once, on their way included; 0 when it takes nothing more. */
  readonly capacity: number;
  /** In hand: waiting to be started, and started. */
  readonly used: number;
  /** It could start another one at once. */
  readonly idle: boolean;
  /** With nobody idle, room for fewer than this is not worth a request. */
  readonly batch: number;
  /** Limit of one request, in bytes. */
  readonly maxBytes: number;
  /** One request at a time over all proxies. */
  readonly serial: boolean;
}

/** Asks proxies for records, never for more than there is room. Pure: time comes in, frames go out through Source. */
export interface Supply {
  addTaker(taker: Taker): void;
  /** What is on its way to it is handed back from now on. */
  removeTaker(taker: Taker): void;
  /** Records asked for and not answered, for this taker. */
  outstanding(taker: Taker): number;
  /** Whether a proxy may still send something that was asked for, whoever wanted it. */
  readonly pending: boolean;
  up(now: number, source: Source): void;
  down(now: number, source: Source): void;
  /** Who the records of a deliver frame are for; undefined: nobody any more. */
  delivered(now: number, source: Source, requestId: number, count: number): Taker | undefined;
  available(now: number, source: Source, frame: Available): void;
  credit(now: number, source: Source, frame: Credit): void;
  /** Asks for what there is room for. */
  pump(now: number): void;
}

/** The next of `list` from a moving start, so that nobody is always the first. */
export class Rotation {
  #next = 0;

  order<T>(list: readonly T[]): T[] {
    if (list.length < 2) {
      return [...list];
    }
    this.#next = (this.#next + 1) % list.length;
    return [...list.slice(this.#next), ...list.slice(0, this.#next)];
  }
}
