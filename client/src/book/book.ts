import type {
  CancelReason,
  Delivery,
  ErrorFrame,
  OffsetRange,
  Present,
  PresentedRecord,
  RecordRef,
} from "@kafkaproxy/wire";
import { ClientError } from "../client-error.ts";
import { Acks } from "./acks.ts";
import { Hold, type HoldKeeper, type LossReason, refOf, type Verdict } from "./hold.ts";
import type { Outlet, Sink } from "./outlet.ts";
import { Owners } from "./owners.ts";
import { sendPresent } from "./long-frames.ts";
import { RecordMap } from "./record-map.ts";
import { graceMs, lossAt, Renewals, waitedTooLong } from "./renewal.ts";
import { ReturnedRecords } from "./returned.ts";

export interface BookEvents {
  /** Something waits for flush(). */
  dirty(): void;
  lost(hold: Hold, reason: LossReason): void;
  /** Acks have become durable. */
  settled(): void;
}

/**
 * All that this client holds, over all proxies, and what it has said about it that is not durable yet.
 *
 * Partitions move between proxies, and proxies die: a hold belongs to the partition, and is presented
 * to whoever announces it next. Pure: time comes in, frames go out through Outlet.
 */
export class Book implements HoldKeeper {
  readonly #topic: string;
  readonly #events: BookEvents;
  readonly #holds = new RecordMap<Hold>();
  readonly #owners = new Owners();
  readonly #acks = new Acks(this.#owners);
  readonly #returned = new ReturnedRecords();
  readonly #renewals = new Renewals();
  #now = 0;

  constructor(topic: string, events: BookEvents) {
    this.#topic = topic;
    this.#events = events;
  }

  /** Whether every ack is durable and everything handed back was said. */
  get settled(): boolean {
    return this.#acks.empty && !this.#returned.hasUnsent;
  }

  /** For later: whether all acks given up to now are durable. */
  settlement(now: number): () => boolean {
    this.flush(now);
    const durable = this.#acks.settlement();
    return () => durable() && !this.#returned.hasUnsent;
  }

  heldBy(outlet: Outlet): number {
    let count = 0;
    for (const hold of this.#holds.values()) {
      if (hold.outlet === outlet) {
        count++;
      }
    }
    return count;
  }

  partitionsOf(outlet: Outlet): number[] {
    return this.#owners.partitionsOf(outlet);
  }

  // Deliveries and what becomes of them

  /**
   * Books a delivery. Undefined when there is nothing new to do: we hold the record already, or have
   * acked it, and its owner just did not know.
   */
  take(now: number, outlet: Outlet, delivery: Delivery, sink: Sink): Hold | undefined {
    this.#now = now;
    const { partition, offset, attempt } = delivery;
    this.#returned.forget(partition, offset);
    const known = this.#holds.get(partition, offset);
    if (known !== undefined) {
      known.attempt = attempt;
      known.outlet = outlet;
      known.leaseUntil = now + delivery.leaseMs;
      known.unconfirmedSince = undefined;
      return undefined;
    }
    if (this.#acks.has(partition, offset)) {
      // To who just delivered it: it does not know of the ack that went elsewhere.
      this.#acks.add(delivery, outlet);
      this.#events.dirty();
      return undefined;
    }
    const hold = new Hold(now, this.#topic, delivery, outlet, sink, this);
    this.#holds.set(partition, offset, hold);
    const owner = this.#owners.of(partition);
    if (owner !== undefined && owner !== outlet && !this.#owners.trusted(partition, outlet)) {
      // The old owner's last delivery came after the new owner's announcement.
      this.#present(now, owner, [hold], []);
    }
    return hold;
  }

  ack(hold: Hold): void {
    if (hold.phase === "held") {
      hold.phase = "acked";
      this.#acks.add(hold, hold.outlet);
      this.#finish(hold);
      this.#events.dirty();
    } else if (hold.phase === "lost" && hold.lostBy !== "settled") {
      // A late ack counts.
      hold.phase = "acked";
      this.#acks.add(hold, hold.outlet);
      this.#events.dirty();
    }
  }

  giveBack(hold: Hold, verdict: Verdict): void {
    if (hold.phase !== "held") {
      return;
    }
    hold.phase = "returned";
    hold.verdict = verdict.type;
    const graceLimits = hold.outlet?.limits.ackTimeoutMs ?? 0;
    const forgetAt = Math.max(hold.leaseUntil, this.#now) + graceMs(graceLimits);
    this.#returned.add(hold, verdict, forgetAt);
    this.#finish(hold);
    this.#events.dirty();
  }

  /** Its holder is not waited for any longer; should it ack after all, that counts. */
  abandon(hold: Hold): void {
    if (hold.phase === "held") {
      this.#lose(hold, "drained");
    }
  }

  extend(hold: Hold): void {
    const { outlet } = hold;
    if (outlet?.up === true) {
      hold.leaseUntil = this.#now + outlet.limits.ackTimeoutMs;
      hold.sink.renewed();
      outlet.send({ type: "extend", all: false, except: [], records: [refOf(hold)] });
    } else if (!hold.renewing) {
      throw new ClientError(
        "unreachable",
        `${hold.message.msgId} can't be extended now: its proxy is not connected. Try again within the lease.`,
      );
    }
  }

  // Sessions

  /** Welcome has come. */
  up(now: number, outlet: Outlet, resumed: boolean): void {
    this.#now = now;
    if (!resumed) {
      this.#orphan(now, outlet);
      return;
    }
    this.flush(now);
    this.#presentAgain(now, outlet);
    this.#acks.repeat(outlet);
    this.#returned.repeat(outlet);
    this.#returned.flush(now);
    this.#renewals.resumed(now, outlet);
    this.#renewals.run(now, this.#holds.values());
  }

  /** The proxy is gone for good, as far as this client is concerned. */
  dropped(now: number, outlet: Outlet): void {
    this.#now = now;
    this.#orphan(now, outlet);
    this.#renewals.dropped(outlet);
  }

  /** The partitions that a proxy announces, under the generation of the group that gave it them. */
  owned(now: number, outlet: Outlet, generation: number, partitions: readonly number[]): void {
    this.flush(now);
    this.#announce(now, outlet, generation, partitions);
    this.#returned.flush(now);
  }

  // What proxies say about records

  settledRanges(ranges: readonly OffsetRange[]): void {
    for (const range of ranges) {
      this.#acks.settled(range);
    }
    this.#events.settled();
  }

  /** A proxy's answer to what was presented to it. */
  accepted(now: number, outlet: Outlet, { leaseMs, records }: Present): void {
    this.#now = now;
    for (const record of records) {
      const hold = this.#holdOf(outlet, record);
      if (hold !== undefined) {
        hold.leaseUntil = now + leaseMs;
        hold.unconfirmedSince = undefined;
      }
    }
  }

  cancelled(
    now: number,
    outlet: Outlet,
    reason: CancelReason,
    records: readonly RecordRef[],
  ): void {
    this.#now = now;
    for (const record of records) {
      if (reason === "moved") {
        this.#moved(now, outlet, record);
        continue;
      }
      this.#forgetReturned(outlet, record);
      const hold = this.#holdOf(outlet, record);
      if (hold !== undefined) {
        this.#lose(hold, reason);
      }
    }
  }

  /** An error about records; those about connections never come here. */
  refused(now: number, outlet: Outlet, { code, records }: ErrorFrame): void {
    this.#now = now;
    for (const record of records) {
      const hold = this.#holdOf(outlet, record);
      if (code === "moved") {
        this.#moved(now, outlet, record);
      } else if (code === "not-held" && hold !== undefined && hold.unconfirmedSince === undefined) {
        // It went away and came back while we were cut off: once more, as to a new owner.
        this.#present(now, outlet, [hold], []);
      } else {
        this.#forgetReturned(outlet, record);
        if (hold !== undefined) {
          this.#lose(hold, "stale");
        }
      }
    }
    if (code === "moved") {
      this.#acks.moved(outlet, records);
    } else if (code === "not-held") {
      this.#acks.refused(records);
    }
    this.#events.settled();
  }

  // Time

  /** Sends acks and what was handed back. */
  flush(now: number): void {
    this.#now = now;
    this.#acks.flush();
    this.#returned.flush(now);
  }

  /** To be called every third of the ack time-out: renews, hands back what waits too long, gives up what is lost. */
  tick(now: number, intervalMs: number, fallback: Outlet["limits"]): void {
    this.#now = now;
    for (const hold of this.#holds.values()) {
      const reason = lossAt(now, hold, hold.outlet?.limits ?? fallback);
      if (reason !== undefined) {
        this.#lose(hold, reason);
      } else if (hold.unconfirmedSince === undefined && waitedTooLong(now, hold, intervalMs)) {
        hold.release();
      }
    }
    this.#returned.tick(now);
    this.#renewals.run(now, this.#holds.values());
  }

  #orphan(now: number, outlet: Outlet): void {
    this.#announce(now, outlet, 0, []);
    for (const hold of this.#holds.values()) {
      if (hold.outlet === outlet) {
        setLoose(now, hold);
      }
    }
  }

  #announce(now: number, outlet: Outlet, generation: number, partitions: readonly number[]): void {
    const { left, moved } = this.#owners.announce(outlet, generation, partitions);
    for (const partition of left) {
      this.#returned.left(partition, outlet);
      for (const hold of this.#holds.inPartition(partition)) {
        if (hold.outlet === outlet) {
          setLoose(now, hold);
        }
      }
    }
    for (const partition of new Set([...left, ...moved])) {
      // It may be one that has nothing new to announce: who said wrongly that it has the partition has left it.
      const owner = this.#owners.of(partition);
      if (owner !== undefined) {
        this.#presentPartition(now, owner, partition);
      }
    }
  }

  #presentPartition(now: number, owner: Outlet, partition: number): void {
    const holds = [...this.#holds.inPartition(partition)].filter(({ outlet }) => outlet !== owner);
    const returned = this.#returned.redirect(partition, owner);
    this.#present(now, owner, [...holds, ...returned], this.#acks.presented(partition));
  }

  /** What was presented over the connection that broke may never have arrived: then none of it is known there. */
  #presentAgain(now: number, outlet: Outlet): void {
    const unconfirmed = [...this.#holds.values()].filter(
      (hold) => hold.outlet === outlet && hold.unconfirmedSince !== undefined,
    );
    if (unconfirmed.length > 0) {
      this.#present(now, outlet, unconfirmed, []);
    }
  }

  #present(
    now: number,
    outlet: Outlet,
    holds: readonly Hold[],
    acked: readonly PresentedRecord[],
  ): void {
    const records: PresentedRecord[] = [...acked];
    for (const hold of holds) {
      hold.outlet = outlet;
      hold.unconfirmedSince ??= now;
      records.push({ ...refOf(hold), state: "held" });
    }
    sendPresent(outlet, records);
  }

  #moved(now: number, outlet: Outlet, record: RecordRef): void {
    this.#returned.moved(outlet, record);
    const hold = this.#holdOf(outlet, record);
    if (hold === undefined) {
      return;
    }
    setLoose(now, hold);
    const owner = this.#owners.of(record.partition);
    if (owner !== undefined && owner !== outlet) {
      this.#present(now, owner, [hold], []);
    }
  }

  #forgetReturned(outlet: Outlet, { partition, offset }: RecordRef): void {
    if (this.#holds.get(partition, offset)?.outlet !== outlet) {
      this.#returned.forget(partition, offset);
    }
  }

  /** The hold that `outlet` speaks of, if it has a say in it. */
  #holdOf(outlet: Outlet, { partition, offset, attempt }: RecordRef): Hold | undefined {
    const hold = this.#holds.get(partition, offset);
    return hold?.outlet === outlet && hold.attempt === attempt ? hold : undefined;
  }

  #lose(hold: Hold, reason: LossReason): void {
    hold.phase = "lost";
    hold.lostBy = reason;
    this.#finish(hold);
    this.#events.lost(hold, reason);
    hold.abort();
  }

  #finish(hold: Hold): void {
    this.#holds.delete(hold.partition, hold.offset, hold);
    hold.sink.ended(hold);
  }
}

/** Nobody leases it to us for sure any more. */
function setLoose(now: number, hold: Hold): void {
  hold.outlet = undefined;
  hold.unconfirmedSince ??= now;
}
