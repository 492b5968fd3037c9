import type { Ack, Offset } from "@kafkaproxy/wire";
import type { WindowRecord } from "../ledger/index.ts";
import { type Lifecycle, ref } from "./lifecycle.ts";
import type { Outbox } from "./outbox.ts";
import type { Partition } from "./partition.ts";
import { Session } from "./session.ts";
import type { DispatchCounters } from "./types.ts";

/** Of a range that is refused, at most so many offsets are named one by one. */
const maxNamed = 1_000;

export interface AcksParts {
  readonly partitions: ReadonlyMap<number, Partition>;
  readonly lifecycle: Lifecycle;
  readonly outbox: Outbox;
  readonly counters: DispatchCounters;
}

/** Acks settle; what is durable already is answered at once, the rest when a commit makes it durable. */
export class Acks {
  readonly #parts: AcksParts;

  constructor(parts: AcksParts) {
    this.#parts = parts;
  }

  ack(session: Session, { ranges }: Ack): void {
    for (const { partition: number, first, last } of ranges) {
      const partition = this.#parts.partitions.get(number);
      if (partition === undefined) this.#moved(session, number, first, last);
      else this.#ackRange(session, partition, first, last);
    }
  }

  /** Settles `record` because of `session`'s ack, and tells another one that holds it. */
  settle(session: Session, partition: Partition, record: WindowRecord): void {
    const { counters, lifecycle, outbox } = this.#parts;
    if (record.holder === session) counters.acked += 1;
    else {
      counters.lateAcks += 1;
      if (record.holder instanceof Session) outbox.cancel(record.holder, "settled", ref(record));
    }
    lifecycle.settle(partition, record);
  }

  /** An ack of something settled: durable already, or to be answered later. */
  answer(session: Session, partition: Partition, first: Offset, last: Offset): void {
    const { committed } = partition;
    if (first < committed) {
      const range = { partition: partition.number, first, last: Math.min(last, committed - 1) };
      this.#parts.outbox.settled(session, range);
    }
    if (last >= committed) partition.addAck(session, Math.max(first, committed), last);
  }

  #ackRange(session: Session, partition: Partition, first: Offset, last: Offset): void {
    const { outbox } = this.#parts;
    const { window } = partition;
    const refused: Offset[] = [];
    const ahead: Offset[] = [];
    for (const record of window.within(first, last)) {
      if (!session.everHeld(record)) {
        refused.push(record.offset);
        outbox.error(session, "not-held", ref(record));
        continue;
      }
      if (record.offset >= window.next) ahead.push(record.offset);
      this.settle(session, partition, record);
    }
    refused.sort((a, b) => a - b);
    let from = first;
    const end = Math.min(last, window.next - 1);
    for (const offset of refused) {
      if (offset > end) break;
      if (offset > from) this.answer(session, partition, from, offset - 1);
      from = offset + 1;
    }
    if (from <= end) this.answer(session, partition, from, end);
    for (const offset of ahead) this.answer(session, partition, offset, offset);
    const beyond = Math.max(first, window.next);
    if (beyond <= last && !window.isSettled(beyond) && window.get(beyond) === undefined) {
      outbox.error(session, "not-held", {
        partition: partition.number,
        offset: beyond,
        attempt: 1,
      });
    }
  }

  #moved(session: Session, partition: number, first: Offset, last: Offset): void {
    const end = Math.min(last, first + maxNamed - 1);
    for (let offset = first; offset <= end; offset += 1) {
      this.#parts.outbox.error(session, "moved", { partition, offset, attempt: 1 });
    }
  }
}
