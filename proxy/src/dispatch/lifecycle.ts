import type { WindowRecord } from "../ledger/index.ts";
import { backoffMs } from "./backoff.ts";
import type { Intake } from "./intake.ts";
import type { Outbox } from "./outbox.ts";
import type { Partition } from "./partition.ts";
import type { ReadyQueue } from "./ready-queue.ts";
import { Session } from "./session.ts";
import type { TimerWheel } from "./timer-wheel.ts";
import type { DispatchCounters, DispatchOptions, Disposition } from "./types.ts";

export interface LifecycleParts {
  readonly options: DispatchOptions;
  readonly queue: ReadyQueue;
  readonly wheel: TimerWheel<WindowRecord>;
  readonly intake: Intake;
  readonly outbox: Outbox;
  readonly counters: DispatchCounters;
}

/**
 * What can happen to one record. Every change of a record's state is one of these methods, and each leaves it in the
 * one list that fits its state.
 */
export class Lifecycle {
  readonly #parts: LifecycleParts;
  /** Records that are leased: to sessions, or to workers of a former owner who may still present them. */
  inFlight = 0;
  #takenRounds = 0;

  constructor(parts: LifecycleParts) {
    this.#parts = parts;
  }

  /** A record came in from the log. */
  admitted(partition: Partition, record: WindowRecord): void {
    const { options } = this.#parts;
    // Presented or out before it was fetched: it goes on as it is.
    if (record.state !== "expected" && record.state !== "doomed") return;
    if (record.rejected) {
      this.kill(partition, record, "rejected", "Rejected by a worker of the former owner.");
    } else if (record.deliveries >= options.maxDeliveries) {
      this.#exhaust(partition, record, "");
    } else if (record.bytes + frameOverheadBytes > options.maxFrameBytes) {
      const message = `The record takes ${record.bytes} bytes on the wire, a frame holds ${options.maxFrameBytes}.`;
      this.kill(partition, record, "oversize", message);
    } else {
      this.due(partition, record);
    }
  }

  lease(
    now: number,
    partition: Partition,
    record: WindowRecord,
    to: Session,
    attempt: number,
  ): void {
    this.#leave(partition, record);
    record.state = "leased";
    record.holder = to;
    record.worker = to.clientName;
    record.deliveries = attempt;
    record.deliveredAt = now;
    record.firstDeliveredAt ??= now;
    record.rememberHolder(to.id);
    to.held.add(record);
    this.inFlight += 1;
    partition.dirty = true;
    this.#parts.wheel.schedule(now, record, now + this.#parts.options.ackTimeoutMs);
  }

  /** A former owner's delivery: whoever has it may present it within one ackTimeout. */
  leaseToNobody(now: number, record: WindowRecord): void {
    record.state = "leased";
    this.inFlight += 1;
    this.leaseAnew(now, record);
  }

  /** One more ackTimeout from now for who may present it. */
  leaseAnew(now: number, record: WindowRecord): void {
    this.#parts.wheel.schedule(now, record, now + this.#parts.options.ackTimeoutMs);
  }

  /** Longer by one ackTimeout from now, within maxProcessingTime of its delivery. */
  extend(now: number, record: WindowRecord): void {
    const { ackTimeoutMs, maxProcessingTimeMs } = this.#parts.options;
    const dueAt = Math.min(now + ackTimeoutMs, record.deliveredAt + maxProcessingTimeMs);
    if (dueAt > record.dueAt) record.dueAt = dueAt;
  }

  /** The lease or the delay of `record` is over. */
  timedOut(now: number, partition: Partition, record: WindowRecord): void {
    if (record.state === "delayed") {
      this.due(partition, record);
      return;
    }
    this.#parts.counters.expired += 1;
    if (record.holder instanceof Session)
      this.#parts.outbox.cancel(record.holder, "expired", ref(record));
    this.failed(now, partition, record, -1, "The last lease ran out without an answer.");
  }

  /** A delivery ended without success; the next one comes after `delayMs`, -1 for the backoff. */
  failed(
    now: number,
    partition: Partition,
    record: WindowRecord,
    delayMs: number,
    reason: string,
  ): void {
    const { options, wheel } = this.#parts;
    this.#leave(partition, record);
    partition.dirty = true;
    if (record.deliveries >= options.maxDeliveries) {
      if (record.source === undefined) record.state = "doomed";
      else this.#exhaust(partition, record, reason);
      return;
    }
    const wait =
      delayMs < 0
        ? backoffMs(record.deliveries, options.backoff, options.random)
        : Math.min(delayMs, options.maxNackDelayMs);
    if (wait > 0) {
      record.state = "delayed";
      wheel.schedule(now, record, now + wait);
    } else {
      this.due(partition, record);
    }
  }

  /** Back unstarted: the delivery does not count. */
  release(partition: Partition, record: WindowRecord): void {
    this.#leave(partition, record);
    record.deliveries -= 1;
    record.recorded = Math.min(record.recorded, record.deliveries);
    partition.dirty = true;
    this.#parts.counters.released += 1;
    this.due(partition, record);
  }

  /** Ready, unless its deliveries have to be recorded first, or it was not fetched yet. */
  due(partition: Partition, record: WindowRecord): void {
    if (record.source === undefined) {
      record.state = "expected";
    } else if (record.recorded < record.deliveries) {
      record.state = "uncounted";
      partition.dirty = true;
      this.#parts.outbox.commitWanted();
    } else {
      this.#parts.queue.add(partition, record);
    }
  }

  /** A confirmed commit holds `deliveries` for the record, or has no place for it (0). */
  recorded(partition: Partition, record: WindowRecord, deliveries: number): void {
    record.recorded = Math.min(deliveries, record.deliveries);
    const counted = record.recorded === record.deliveries;
    if (record.state === "uncounted" && counted) {
      this.#parts.queue.add(partition, record);
    } else if (record.state === "ready" && !counted) {
      // The broker takes less than it did, and its place is gone.
      this.#leave(partition, record);
      this.due(partition, record);
    }
  }

  reject(partition: Partition, record: WindowRecord, reason: string): void {
    this.#leave(partition, record);
    record.rejected = true;
    partition.dirty = true;
    if (record.source === undefined) record.state = "doomed";
    else this.kill(partition, record, "rejected", reason);
  }

  kill(
    partition: Partition,
    record: WindowRecord,
    disposition: Disposition,
    message: string,
  ): void {
    if (record.source === undefined) return;
    record.state = "dying";
    partition.dirty = true;
    this.#parts.outbox.dead({
      partition: partition.number,
      record: record.source,
      disposition,
      deliveries: record.deliveries,
      message,
      firstDeliveredAt: record.firstDeliveredAt,
      worker: record.worker,
    });
  }

  settle(partition: Partition, record: WindowRecord): void {
    this.#leave(partition, record);
    partition.window.settle(record);
    partition.dirty = true;
    const { intake, options, outbox } = this.#parts;
    intake.freed(partition);
    if (partition.window.settledTotal - partition.settledAtTake >= options.commitBatchSize) {
      outbox.commitWanted();
    }
  }

  /** An expected record turned out to be gone from the log. */
  vanish(partition: Partition, record: WindowRecord): void {
    if (record.holder instanceof Session) {
      this.#parts.outbox.cancel(record.holder, "settled", ref(record));
    }
    this.#leave(partition, record);
    record.state = "settled";
  }

  /** The partition is another's: its records leave every list but stay in the hands of their holders. */
  letGo(partition: Partition): void {
    this.#takenRounds += 1;
    this.#parts.queue.drop(partition);
    partition.presentWait?.disarm();
    partition.window.forEach((record) => {
      if (record.state !== "leased" && record.state !== "delayed") return;
      record.list?.remove(record);
      if (record.holder instanceof Session) record.holder.rememberTaken(this.#takenRounds, record);
      this.#takeBack(record);
    });
  }

  #exhaust(partition: Partition, record: WindowRecord, reason: string): void {
    const words = `Delivered ${record.deliveries} times without success.`;
    this.kill(
      partition,
      record,
      "deliveries-exhausted",
      reason === "" ? words : `${words} ${reason}`,
    );
  }

  /** Out of the list of its state, and out of its holder's hands. */
  #leave(partition: Partition, record: WindowRecord): void {
    if (record.state === "ready") {
      this.#parts.queue.remove(partition, record);
      return;
    }
    record.list?.remove(record);
    this.#takeBack(record);
  }

  #takeBack(record: WindowRecord): void {
    if (record.state === "leased") this.inFlight -= 1;
    record.holder?.held.delete(record);
    record.holder = undefined;
  }
}

/** Bytes of a deliver frame beside its deliveries, with room for what a later version adds. */
export const frameOverheadBytes = 64;

export function ref(record: WindowRecord): { partition: number; offset: number; attempt: number } {
  return {
    partition: record.partition,
    offset: record.offset,
    attempt: Math.max(1, record.deliveries),
  };
}
