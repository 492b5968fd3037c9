import type { OffsetRange, PresentedRecord } from "@kafkaproxy/wire";
import { OffsetRanges } from "./offset-ranges.ts";

interface PartitionAcks {
  /** Acked since the last take, in no order. */
  fresh: number[];
  /** Acked and not known to be durable; without `fresh`. */
  readonly unsettled: OffsetRanges;
  /** Attempts above 1: few. */
  readonly attempts: Map<number, number>;
}

/**
 * Acks until they are durable. An ack that a killed proxy had not committed is presented to the
 * partition's next owner, so that nobody does the work again.
 */
export class UnsettledAcks {
  readonly #partitions = new Map<number, PartitionAcks>();

  add(partition: number, offset: number, attempt: number): void {
    let acks = this.#partitions.get(partition);
    if (acks === undefined) {
      acks = { fresh: [], unsettled: new OffsetRanges(), attempts: new Map() };
      this.#partitions.set(partition, acks);
    }
    acks.fresh.push(offset);
    if (attempt > 1) {
      acks.attempts.set(offset, attempt);
    }
  }

  has(partition: number, offset: number): boolean {
    const acks = this.#partitions.get(partition);
    return acks !== undefined && (acks.fresh.includes(offset) || acks.unsettled.has(offset));
  }

  get empty(): boolean {
    for (const acks of this.#partitions.values()) {
      if (acks.fresh.length > 0 || acks.unsettled.length > 0) {
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
  takeFresh(visit: (partition: number, ranges: OffsetRange[]) => void): void {
    for (const [partition, acks] of this.#partitions) {
      if (acks.fresh.length > 0) {
        const ranges = toRanges(partition, acks.fresh);
        acks.fresh = [];
        for (const { first, last } of ranges) {
          acks.unsettled.add(first, last);
        }
        visit(partition, ranges);
      }
    }
  }

  /** What is not durable in `partition`. Fresh acks come with takeFresh, so flush before. */
  ranges(partition: number): OffsetRange[] {
    const acks = this.#partitions.get(partition);
    const ranges: OffsetRange[] = [];
    acks?.unsettled.forEach((first, last) => ranges.push({ partition, first, last }));
    return ranges;
  }

  /** The same, one by one, for a new owner. */
  records(partition: number): PresentedRecord[] {
    const acks = this.#partitions.get(partition);
    const records: PresentedRecord[] = [];
    acks?.unsettled.forEach((first, last) => {
      for (let offset = first; offset <= last; offset++) {
        const attempt = acks.attempts.get(offset) ?? 1;
        records.push({ partition, offset, attempt, state: "acked" });
      }
    });
    return records;
  }

  settled({ partition, first, last }: OffsetRange): void {
    const acks = this.#partitions.get(partition);
    acks?.unsettled.remove(first, last);
    if (acks !== undefined && acks.attempts.size > 0) {
      for (const offset of acks.attempts.keys()) {
        if (offset >= first && offset <= last) {
          acks.attempts.delete(offset);
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
