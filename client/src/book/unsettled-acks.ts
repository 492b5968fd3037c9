import type { OffsetRange, PresentedRecord } from "@kafkaproxy/wire";
import { OffsetRanges } from "./offset-ranges.ts";
import type { Outlet } from "./outlet.ts";

interface PartitionAcks {
  /** Acked since the last take, in no order, by the session that leased them to us. */
  readonly fresh: Map<Outlet | undefined, number[]>;
  /** Acked and not known to be durable; without `fresh`. */
  readonly unsettled: OffsetRanges;
  /** Attempts above 1: few. */
  readonly attempts: Map<number, number>;
  /** Who was asked to take an ack of a record that it never held: hardly ever any. */
  readonly asked: Map<number, Set<Outlet>>;
}

/**
 * Acks until they are durable. An ack that a killed proxy had not committed is presented to the
 * partition's next owner, so that nobody does the work again.
 */
export class UnsettledAcks {
  readonly #partitions = new Map<number, PartitionAcks>();

  add(partition: number, offset: number, attempt: number, outlet: Outlet | undefined): void {
    let acks = this.#partitions.get(partition);
    if (acks === undefined) {
      acks = {
        fresh: new Map(),
        unsettled: new OffsetRanges(),
        attempts: new Map(),
        asked: new Map(),
      };
      this.#partitions.set(partition, acks);
    }
    const fresh = acks.fresh.get(outlet);
    if (fresh === undefined) {
      acks.fresh.set(outlet, [offset]);
    } else {
      fresh.push(offset);
    }
    if (attempt > 1) {
      acks.attempts.set(offset, attempt);
    }
  }

  has(partition: number, offset: number): boolean {
    const acks = this.#partitions.get(partition);
    if (acks === undefined) {
      return false;
    }
    for (const fresh of acks.fresh.values()) {
      if (fresh.includes(offset)) {
        return true;
      }
    }
    return acks.unsettled.has(offset);
  }

  get empty(): boolean {
    for (const acks of this.#partitions.values()) {
      if (acks.fresh.size > 0 || acks.unsettled.length > 0) {
        return false;
      }
    }
    return true;
  }

  /** All that is not durable right now; fresh acks come with takeFresh, so flush before. */
  allRanges(): OffsetRange[] {
    return [...this.#partitions.keys()].flatMap((partition) => this.ranges(partition));
  }

  hasAnyOf({ partition, first, last }: OffsetRange): boolean {
    return this.#partitions.get(partition)?.unsettled.hasAnyOf(first, last) ?? false;
  }

  /** Hands what is fresh to `visit`, partition by partition, as ranges; from then on it is only unsettled. */
  takeFresh(
    visit: (partition: number, outlet: Outlet | undefined, ranges: OffsetRange[]) => void,
  ): void {
    for (const [partition, acks] of this.#partitions) {
      for (const [outlet, fresh] of acks.fresh) {
        const ranges = toRanges(partition, fresh);
        for (const { first, last } of ranges) {
          acks.unsettled.add(first, last);
        }
        visit(partition, outlet, ranges);
      }
      acks.fresh.clear();
    }
  }

  /** What is not durable in `partition`. Fresh acks come with takeFresh, so flush before. */
  ranges(partition: number): OffsetRange[] {
    const acks = this.#partitions.get(partition);
    const ranges: OffsetRange[] = [];
    acks?.unsettled.forEach((first, last) => ranges.push({ partition, first, last }));
    return ranges;
  }

  /** `ranges` one by one, as they are presented. */
  records(ranges: readonly OffsetRange[]): PresentedRecord[] {
    const records: PresentedRecord[] = [];
    for (const { partition, first, last } of ranges) {
      const attempts = this.#partitions.get(partition)?.attempts;
      for (let offset = first; offset <= last; offset++) {
        records.push({ partition, offset, attempt: attempts?.get(offset) ?? 1, state: "acked" });
      }
    }
    return records;
  }

  ask(partition: number, offset: number, outlet: Outlet): void {
    const asked = this.#partitions.get(partition)?.asked;
    asked?.set(offset, (asked.get(offset) ?? new Set()).add(outlet));
  }

  asked(partition: number, offset: number, outlet: Outlet): boolean {
    return this.#partitions.get(partition)?.asked.get(offset)?.has(outlet) ?? false;
  }

  /** The question may never have arrived. */
  forgetAsked(partition: number, outlet: Outlet): void {
    for (const outlets of this.#partitions.get(partition)?.asked.values() ?? []) {
      outlets.delete(outlet);
    }
  }

  settled({ partition, first, last }: OffsetRange): void {
    const acks = this.#partitions.get(partition);
    acks?.unsettled.remove(first, last);
    for (const known of [acks?.attempts, acks?.asked]) {
      for (const offset of known?.keys() ?? []) {
        if (offset >= first && offset <= last) {
          known?.delete(offset);
        }
      }
    }
  }
}

/** Sorts `offsets` in place; repeats do not matter. */
export function toRanges(partition: number, offsets: number[]): OffsetRange[] {
  offsets.sort((a, b) => a - b);
  const ranges: OffsetRange[] = [];
  let first = offsets[0] ?? 0;
  let last = first;
  for (const offset of offsets) {
    if (offset > last + 1) {
      ranges.push({ partition, first, last });
      first = offset;
    }
    last = offset;
  }
  if (offsets.length > 0) {
    ranges.push({ partition, first, last });
  }
  return ranges;
}
