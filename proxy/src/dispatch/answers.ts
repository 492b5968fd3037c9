import type { Extend, Nack, RecordRef, Reject, Release } from "@kafkaproxy/wire";
import { OffsetRanges, type WindowRecord } from "../ledger/index.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Outbox } from "./outbox.ts";
import type { Partition } from "./partition.ts";
import type { Session } from "./session.ts";
import type { DispatchCounters } from "./types.ts";

export interface AnswersParts {
  readonly partitions: ReadonlyMap<number, Partition>;
  readonly lifecycle: Lifecycle;
  readonly outbox: Outbox;
  readonly counters: DispatchCounters;
}

/** What only the current holder can say of a record: anything but an ack. */
export class Answers {
  readonly #parts: AnswersParts;

  constructor(parts: AnswersParts) {
    this.#parts = parts;
  }

  nack(now: number, session: Session, { record: name, delayMs, reason }: Nack): void {
    this.#current(session, name, (partition, record) => {
      this.#parts.counters.nacked += 1;
      this.#parts.lifecycle.failed(now, partition, record, delayMs, reason);
    });
  }

  reject(session: Session, { record: name, reason }: Reject): void {
    this.#current(session, name, (partition, record) => {
      this.#parts.counters.rejected += 1;
      this.#parts.lifecycle.reject(partition, record, reason);
    });
  }

  release(session: Session, { records }: Release): void {
    for (const name of records) {
      this.#current(session, name, (partition, record) => {
        this.#parts.lifecycle.release(partition, record);
      });
    }
  }

  extend(now: number, session: Session, { all, except, records }: Extend): void {
    if (!all) {
      for (const name of records) {
        this.#current(session, name, (_, record) => {
          this.#parts.counters.extended += 1;
          this.#parts.lifecycle.extend(now, record);
        });
      }
      return;
    }
    const excepted = new Map<number, OffsetRanges>();
    for (const { partition, first, last } of except) {
      const ranges = excepted.get(partition) ?? new OffsetRanges();
      ranges.add(first, last);
      excepted.set(partition, ranges);
    }
    for (const record of session.held) {
      if (excepted.get(record.partition)?.has(record.offset) === true) continue;
      this.#parts.counters.extended += 1;
      this.#parts.lifecycle.extend(now, record);
    }
  }

  /** Runs `then` when `name` is what the session holds now; says what is wrong otherwise. */
  #current(
    session: Session,
    name: RecordRef,
    then: (partition: Partition, record: WindowRecord) => void,
  ): void {
    const partition = this.#parts.partitions.get(name.partition);
    if (partition === undefined) {
      this.#parts.outbox.error(session, "moved", name);
      return;
    }
    const record = partition.window.get(name.offset);
    if (record?.holder === session && record.deliveries === name.attempt) {
      then(partition, record);
      return;
    }
    this.#parts.counters.stale += 1;
    const held =
      record === undefined ? partition.window.isSettled(name.offset) : session.everHeld(record);
    this.#parts.outbox.error(session, held ? "stale" : "not-held", name);
  }
}
