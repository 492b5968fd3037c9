import type { Present, PresentedRecord } from "@kafkaproxy/wire";
import type { Acks } from "./acks.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Outbox } from "./outbox.ts";
import type { Partition } from "./partition.ts";
import type { Session } from "./session.ts";
import type { DispatchCounters, DispatchOptions } from "./types.ts";

export interface PresentsParts {
  readonly options: DispatchOptions;
  readonly partitions: ReadonlyMap<number, Partition>;
  readonly lifecycle: Lifecycle;
  readonly acks: Acks;
  readonly outbox: Outbox;
  readonly counters: DispatchCounters;
}

/** What clients bring with them from a partition's former owner: acks that were not durable, records that they hold. */
export class Presents {
  readonly #parts: PresentsParts;

  constructor(parts: PresentsParts) {
    this.#parts = parts;
  }

  present(now: number, session: Session, { records }: Present): void {
    const { outbox, options, partitions } = this.#parts;
    const accepted: PresentedRecord[] = [];
    for (const record of records) {
      const partition = partitions.get(record.partition);
      if (partition === undefined) outbox.error(session, "moved", plain(record));
      else if (record.state === "acked") this.#acked(session, partition, record);
      else if (this.#held(now, session, partition, record)) accepted.push(record);
    }
    this.#parts.counters.presented += accepted.length;
    if (accepted.length > 0) {
      session.port?.send({ type: "present", leaseMs: options.ackTimeoutMs, records: accepted });
    }
  }

  /** Counts whoever was its holder: the owner that could tell is gone, or the session that its worker had here. */
  #acked(session: Session, partition: Partition, { offset }: PresentedRecord): void {
    const { acks, counters } = this.#parts;
    const { window } = partition;
    const record = window.get(offset);
    if (record !== undefined) {
      counters.presented += 1;
      acks.settle(session, partition, record);
    } else if (!window.isSettled(offset)) {
      // Without `settled` the client keeps the ack.
      if (window.aheadIsFull) return;
      window.settleAhead(offset);
    }
    acks.answer(session, partition, offset, offset);
  }

  #held(now: number, session: Session, partition: Partition, presented: PresentedRecord): boolean {
    const { lifecycle, options, outbox } = this.#parts;
    const { window } = partition;
    if (window.isSettled(presented.offset)) {
      outbox.cancel(session, "settled", plain(presented));
      return false;
    }
    const record = window.get(presented.offset) ?? window.expect(presented.offset);
    if (record === undefined) {
      outbox.cancel(session, "stale", plain(presented));
      return false;
    }
    const current = record.deliveries === presented.attempt;
    if (record.holder === session && current) {
      lifecycle.extend(now, record);
      return true;
    }
    const since = current && record.everHeldBy(session.id) ? record.deliveredAt : now;
    const over = record.state === "dying" || record.state === "doomed";
    const free = record.holder === undefined && !over;
    const newest =
      presented.attempt >= record.deliveries && presented.attempt <= options.maxDeliveries;
    if (free && newest && now - since < options.maxProcessingTimeMs) {
      lifecycle.lease(now, partition, record, session, presented.attempt);
      record.deliveredAt = since;
      return true;
    }
    // Not its holder any more, but its late ack counts.
    record.rememberHolder(session.id);
    outbox.cancel(session, "stale", plain(presented));
    return false;
  }
}

function plain({ partition, offset, attempt }: PresentedRecord): {
  partition: number;
  offset: number;
  attempt: number;
} {
  return { partition, offset, attempt };
}
