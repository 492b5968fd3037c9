import type { OffsetRange, PresentedRecord, RecordRef } from "@kafkaproxy/wire";
import { sendAcks, sendPresent } from "./long-frames.ts";
import type { Outlet } from "./outlet.ts";
import type { Owners } from "./owners.ts";
import { UnsettledAcks } from "./unsettled-acks.ts";

/**
 * Where acks go, and where they go next when nobody settles them there.
 *
 * First to the session that leases the record to us, whoever else claims its partition: it knows the record. Only
 * somebody with a claim of a later generation of the group makes it one that is cut off.
 */
export class Acks {
  readonly #unsettled = new UnsettledAcks();
  readonly #owners: Owners;

  constructor(owners: Owners) {
    this.#owners = owners;
  }

  get empty(): boolean {
    return this.#unsettled.empty;
  }

  has(partition: number, offset: number): boolean {
    return this.#unsettled.has(partition, offset);
  }

  /** For later: whether those given up to now are durable. */
  settlement(): () => boolean {
    this.flush();
    let waiting = this.#unsettled.allRanges();
    return () => {
      waiting = waiting.filter((range) => this.#unsettled.hasAnyOf(range));
      return waiting.length === 0;
    };
  }

  add({ partition, offset, attempt }: RecordRef, outlet: Outlet | undefined): void {
    this.#unsettled.add(partition, offset, attempt, outlet);
  }

  settled(range: OffsetRange): void {
    this.#unsettled.settled(range);
  }

  /** Says what has not been said. */
  flush(): void {
    this.#unsettled.takeFresh((partition, outlet, ranges) => {
      // Where none is up they wait: a session that goes on and a new owner get all that is unsettled.
      if (outlet !== undefined && this.#owners.trusted(partition, outlet)) {
        if (outlet.up) {
          sendAcks(outlet, ranges);
        }
        return;
      }
      const owner = this.#owners.of(partition);
      if (owner?.up === true) {
        sendPresent(owner, this.#unsettled.records(ranges));
      }
    });
  }

  /** To a session that went on: what was said over the connection that broke may never have arrived. */
  repeat(outlet: Outlet): void {
    const partitions = this.#owners.partitionsOf(outlet);
    const trusted = partitions.filter((partition) => this.#owners.trusted(partition, outlet));
    for (const partition of partitions) {
      this.#unsettled.forgetAsked(partition, outlet);
    }
    sendAcks(
      outlet,
      trusted.flatMap((partition) => this.#unsettled.ranges(partition)),
    );
  }

  /** For a partition's new owner. */
  presented(partition: number): PresentedRecord[] {
    return this.#unsettled.records(this.#unsettled.ranges(partition));
  }

  /** `outlet` does not serve their partitions any more. */
  moved(outlet: Outlet, records: readonly RecordRef[]): void {
    this.#present(records, (partition) => {
      const owner = this.#owners.of(partition);
      return owner === outlet ? undefined : owner;
    });
  }

  /**
   * Some session says that it never held these. It is asked to take them as acked, best claim first, until each
   * claimant has refused that too: then there is nobody left who could want the ack.
   */
  refused(records: readonly RecordRef[]): void {
    this.#present(records, (partition, offset) => {
      const claimants = this.#owners.claimants(partition);
      const next = claimants.find((outlet) => !this.#unsettled.asked(partition, offset, outlet));
      if (next?.up === true) {
        this.#unsettled.ask(partition, offset, next);
      } else if (next === undefined && claimants.length > 0) {
        this.#unsettled.settled({ partition, first: offset, last: offset });
      }
      return next;
    });
  }

  #present(
    records: readonly RecordRef[],
    to: (partition: number, offset: number) => Outlet | undefined,
  ): void {
    const presented = new Map<Outlet, PresentedRecord[]>();
    for (const { partition, offset } of records) {
      if (!this.has(partition, offset)) {
        continue;
      }
      const outlet = to(partition, offset);
      if (outlet?.up === true) {
        const list = presented.get(outlet) ?? [];
        presented.set(outlet, list);
        list.push(...this.#unsettled.records([{ partition, first: offset, last: offset }]));
      }
    }
    for (const [outlet, list] of presented) {
      sendPresent(outlet, list);
    }
  }
}
