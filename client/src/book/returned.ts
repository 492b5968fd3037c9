import type { RecordRef } from "@kafkaproxy/wire";
import { type Hold, refOf, type Verdict, verdictFrame } from "./hold.ts";
import type { Outlet } from "./outlet.ts";
import { RecordMap } from "./record-map.ts";

interface Returned {
  readonly hold: Hold;
  readonly verdict: Verdict;
  /** Undefined while it has not been sent to anybody who could take it. */
  sentTo: Outlet | undefined;
  forgetAt: number;
}

/**
 * Nacks, rejects and releases until they are surely taken. No frame confirms one: it stands when the
 * connection has lived on for an ack time-out, for then a lost one has ended by itself. Until then
 * it is said again to a session that goes on, and to a new owner.
 */
export class ReturnedRecords {
  readonly #records = new RecordMap<Returned>();
  #unsent = new Set<Returned>();

  get hasUnsent(): boolean {
    return this.#unsent.size > 0;
  }

  /** `forgetAt`: when nobody can hold the record for us any more. */
  add(hold: Hold, verdict: Verdict, forgetAt: number): void {
    const returned: Returned = { hold, verdict, sentTo: undefined, forgetAt };
    this.#records.set(hold.partition, hold.offset, returned);
    this.#unsent.add(returned);
  }

  /** The record is in new hands, or nobody wants to hear of it: ours again, stale, settled. */
  forget(partition: number, offset: number): void {
    const returned = this.#records.get(partition, offset);
    if (returned !== undefined) {
      this.#remove(returned);
    }
  }

  /** The session that it was said to does not have the partition any more. */
  moved(from: Outlet, { partition, offset }: RecordRef): void {
    const returned = this.#records.get(partition, offset);
    if (returned?.sentTo === from) {
      returned.sentTo = undefined;
      returned.hold.outlet = undefined;
      this.#unsent.add(returned);
    }
  }

  /** What `outlet` may not have heard, because its connection broke. */
  repeat(outlet: Outlet): void {
    for (const returned of this.#records.values()) {
      if (returned.sentTo === outlet) {
        this.#unsent.add(returned);
      }
    }
  }

  /** `outlet` does not serve the partition any more: should it again, it has to be told again. */
  left(partition: number, outlet: Outlet): void {
    for (const returned of this.#records.inPartition(partition)) {
      if (returned.sentTo === outlet) {
        returned.sentTo = undefined;
      }
    }
  }

  /** For the partition's owner, who is told of them as held first; without those that it has heard of. */
  redirect(partition: number, outlet: Outlet): Hold[] {
    const holds: Hold[] = [];
    for (const returned of this.#records.inPartition(partition)) {
      if (returned.sentTo === outlet) {
        continue;
      }
      returned.hold.outlet = outlet;
      this.#unsent.add(returned);
      holds.push(returned.hold);
    }
    return holds;
  }

  /** Says what can be said. */
  flush(now: number): void {
    if (this.#unsent.size === 0) {
      return;
    }
    const releases = new Map<Outlet, RecordRef[]>();
    const waiting = new Set<Returned>();
    for (const returned of this.#unsent) {
      const { hold, verdict } = returned;
      const { outlet } = hold;
      if (outlet === undefined || !outlet.up) {
        waiting.add(returned);
        continue;
      }
      if (verdict.type === "release") {
        const records = releases.get(outlet);
        if (records === undefined) {
          releases.set(outlet, [refOf(hold)]);
        } else {
          records.push(refOf(hold));
        }
      } else {
        outlet.send(verdictFrame(refOf(hold), verdict));
      }
      returned.sentTo = outlet;
      returned.forgetAt = now + outlet.limits.ackTimeoutMs;
    }
    for (const [outlet, records] of releases) {
      outlet.send({ type: "release", records });
    }
    this.#unsent = waiting;
  }

  tick(now: number): void {
    for (const returned of this.#records.values()) {
      if (now >= returned.forgetAt) {
        this.#remove(returned);
      }
    }
  }

  #remove(returned: Returned): void {
    this.#records.delete(returned.hold.partition, returned.hold.offset, returned);
    this.#unsent.delete(returned);
  }
}
