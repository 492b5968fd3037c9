import type { RecordRef } from "@kafkaproxy/wire";
import { type Hold, type LossReason, refOf } from "./hold.ts";
import type { Outlet } from "./outlet.ts";
import { toRanges } from "./unsettled-acks.ts";

/**
 * After its owner died, a record can be in our hands longer than its lease: nobody else gets it
 * before the group notices (the session time-out, 10 s by default) and the next owner has waited for
 * an ack time-out. One more for the way there.
 */
export function graceMs(ackTimeoutMs: number): number {
  return 2 * ackTimeoutMs + 10_000;
}

/** Why `hold` is lost by `now`, by our own clock; undefined while it is not. A proxy's cancel comes on its own. */
export function lossAt(now: number, hold: Hold, limits: Outlet["limits"]): LossReason | undefined {
  if (now >= hold.receivedAt + limits.maxProcessingTimeMs) {
    return "max-processing-time";
  }
  const { outlet, unconfirmedSince } = hold;
  if (unconfirmedSince !== undefined) {
    return now >= unconfirmedSince + graceMs(limits.ackTimeoutMs) ? "moved" : undefined;
  }
  if (outlet !== undefined && !outlet.up) {
    const grace = outlet.gone ? graceMs(limits.ackTimeoutMs) : 0;
    return now >= hold.leaseUntil + grace ? "disconnected" : undefined;
  }
  return undefined;
}

/** True when a prefetched delivery would run out before the next look at it, so that it has to go back now. */
export function waitedTooLong(now: number, hold: Hold, intervalMs: number): boolean {
  return hold.renewing && !hold.started && hold.leaseUntil - now < intervalMs * 1.5;
}

/** One frame to each session, for all that it leases to us. */
export class Renewals {
  /** Sessions that went on after a lost connection: until then they are renewed by name. */
  readonly #oneByOneUntil = new Map<Outlet, number>();

  /** What was on its way when the connection broke is leased to us, and we will never know of it. */
  resumed(now: number, outlet: Outlet): void {
    this.#oneByOneUntil.set(outlet, now + outlet.limits.ackTimeoutMs * 1.2);
  }

  dropped(outlet: Outlet): void {
    this.#oneByOneUntil.delete(outlet);
  }

  run(now: number, holds: Iterable<Hold>): void {
    const rounds = new Map<Outlet, RenewalRound>();
    for (const hold of holds) {
      const { outlet } = hold;
      if (outlet?.up === true) {
        let round = rounds.get(outlet);
        if (round === undefined) {
          round = new RenewalRound();
          rounds.set(outlet, round);
        }
        round.add(hold);
      }
    }
    for (const [outlet, round] of rounds) {
      round.send(now, outlet, now < (this.#oneByOneUntil.get(outlet) ?? 0));
    }
  }
}

/** One session's part of a renewal. */
class RenewalRound {
  readonly #renewed: Hold[] = [];
  readonly #except = new Map<number, number[]>();

  add(hold: Hold): void {
    if (hold.renewing && hold.started) {
      this.#renewed.push(hold);
      return;
    }
    const offsets = this.#except.get(hold.partition);
    if (offsets === undefined) {
      this.#except.set(hold.partition, [hold.offset]);
    } else {
      offsets.push(hold.offset);
    }
  }

  /**
   * One frame for all, or none. `oneByOne`: by name, for a session that may hold what never reached us.
   */
  send(now: number, outlet: Outlet, oneByOne: boolean): void {
    if (this.#renewed.length === 0) {
      return;
    }
    for (const hold of this.#renewed) {
      hold.leaseUntil = now + outlet.limits.ackTimeoutMs;
      hold.sink.renewed();
    }
    if (oneByOne) {
      const records: RecordRef[] = this.#renewed.map(refOf);
      outlet.send({ type: "extend", all: false, except: [], records });
    } else {
      const except = [...this.#except].flatMap(([partition, offsets]) =>
        toRanges(partition, offsets),
      );
      outlet.send({ type: "extend", all: true, except, records: [] });
    }
  }
}
