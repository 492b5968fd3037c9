import type { Offset } from "@kafkaproxy/wire";
import { OffsetRanges } from "./offset-ranges.ts";
import type { Run } from "./snapshot-content.ts";
import { type SourceRecord, WindowRecord } from "./window-record.ts";

/** Bounds of what is remembered ahead of the fetch. The second is also the most that `queue.size` may be. */
const maxAheadRanges = 50_000;
const maxExpected = 100_000;

/** What several windows hold together: unsettled records that were fetched, and their bytes. */
export interface WindowTotals {
  messages: number;
  bytes: number;
}

/**
 * One partition's records between the low watermark and what was fetched last. Only unsettled records are kept:
 * an offset below `next` that is not here is settled, or was never a record (gaps count as settled).
 * Of what lies ahead of `next` it knows what a former owner's snapshot or a client said.
 */
export class Window {
  readonly partition: number;
  /** Unsettled records, those expected included. */
  readonly #records = new Map<Offset, WindowRecord>();
  /** Admitted records in order; settled ones stay until they are swept. */
  #order: WindowRecord[] = [];
  #head = 0;
  /** Expected records in order, all at or above `next`. */
  #expected: WindowRecord[] = [];
  /** Settled though not fetched yet. */
  readonly #settledAhead = new OffsetRanges();
  readonly #totals: WindowTotals;
  #next: Offset;
  #live = 0;
  #bytes = 0;
  #admitted = 0;

  /** What it holds is counted in `totals`, with that of others. */
  constructor(partition: number, watermark: Offset, totals: WindowTotals) {
    this.partition = partition;
    this.#totals = totals;
    this.#next = watermark;
  }

  /** First offset that was not fetched yet. */
  get next(): Offset {
    return this.#next;
  }

  /** Unsettled records that were fetched. */
  get size(): number {
    return this.#live;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Records that were fetched and are settled, since the window began. */
  get settledTotal(): number {
    return this.#admitted - this.#live;
  }

  /** The first unsettled record, or what would be fetched next. */
  get watermark(): Offset {
    return this.first?.offset ?? this.#next;
  }

  get first(): WindowRecord | undefined {
    let record = this.#order[this.#head];
    while (record?.state === "settled") {
      this.#head += 1;
      record = this.#order[this.#head];
    }
    return record;
  }

  get(offset: Offset): WindowRecord | undefined {
    return this.#records.get(offset);
  }

  /** True when nothing more is to be done about `offset`. */
  isSettled(offset: Offset): boolean {
    return offset < this.#next ? !this.#records.has(offset) : this.#settledAhead.has(offset);
  }

  /** The first offset at or after `next` that is not settled: a fetch may skip to it. */
  get nextWanted(): Offset {
    return this.#settledAhead.firstMissing(this.#next);
  }

  /** How many offsets from `next` up to, and without, `offset` are not known to be settled. */
  missingBelow(offset: Offset): number {
    const last = offset - 1;
    return Math.max(0, offset - this.#next - this.#settledAhead.countWithin(this.#next, last));
  }

  /**
   * Shows the unsettled records in order, expected ones included. No generator: each commit looks at all of them, and
   * that makes an object a step.
   */
  forEach(visit: (record: WindowRecord) => void): void {
    for (let at = this.#head; at < this.#order.length; at += 1) {
      const record = this.#order[at];
      if (record !== undefined && record.state !== "settled") visit(record);
    }
    for (const record of this.#expected) {
      if (record.state !== "settled") visit(record);
    }
  }

  /** Runs that are settled though not fetched yet. */
  get settledAhead(): Iterable<Run> {
    return this.#settledAhead;
  }

  /** How many of the fetched records at or above `offset` are settled, for one not below the watermark; a few below may be counted too. */
  settledFrom(offset: Offset): number {
    let at = this.#order.length;
    let live = 0;
    while (at > this.#head && (this.#order[at - 1]?.offset ?? 0) >= offset) {
      at -= 1;
      if (this.#order[at]?.state !== "settled") live += 1;
    }
    const before = this.#order[at - 1]?.sequence ?? -1;
    return this.#admitted - (before + 1) - live;
  }

  /** Unsettled records from `first` to `last`. Costs the smaller of the range and the window. */
  *within(first: Offset, last: Offset): Generator<WindowRecord> {
    if (last - first <= this.#records.size) {
      for (let offset = first; offset <= last; offset += 1) {
        const record = this.#records.get(offset);
        if (record !== undefined) yield record;
      }
      return;
    }
    for (const record of this.#records.values()) {
      if (record.offset >= first && record.offset <= last) yield record;
    }
  }

  /** Takes in a fetched record, after `advance(source.offset)`. Undefined when it is known to be settled. */
  admit(now: number, source: SourceRecord, bytes: number): WindowRecord | undefined {
    const { offset } = source;
    this.#admitted += 1;
    this.#next = offset + 1;
    if (this.#settledAhead.has(offset)) {
      // Said of what lies ahead only: below `next` it would be told twice.
      this.#settledAhead.dropBelow(this.#next);
      return undefined;
    }
    let record = this.#records.get(offset);
    if (record === undefined) {
      record = new WindowRecord(this.partition, offset);
      this.#records.set(offset, record);
    } else if (this.#expected[0] === record) {
      this.#expected.shift();
    }
    record.source = source;
    record.bytes = bytes;
    record.sequence = this.#admitted - 1;
    record.admittedAt = now;
    this.#order.push(record);
    this.#count(1, bytes);
    return record;
  }

  /** Nothing below `next` will be fetched any more. Returns the expected records that turned out not to exist. */
  advance(next: Offset): WindowRecord[] {
    const absent = this.#expected.length === 0 ? [] : this.#expectedBelow(next);
    for (const record of absent) this.#records.delete(record.offset);
    if (next > this.#next) this.#next = next;
    if (this.#settledAhead.size > 0) this.#settledAhead.dropBelow(this.#next);
    return absent;
  }

  /** The unsettled record at `offset`, at or above `next`; made if need be. Undefined when there are too many. */
  expect(offset: Offset): WindowRecord | undefined {
    const known = this.#records.get(offset);
    if (known !== undefined) return known;
    if (this.#expected.length >= maxExpected) return undefined;
    const record = new WindowRecord(this.partition, offset);
    this.#records.set(offset, record);
    let at = this.#expected.length;
    while (at > 0 && (this.#expected[at - 1]?.offset ?? -1) > offset) at -= 1;
    this.#expected.splice(at, 0, record);
    return record;
  }

  /** Marks offsets at or above `next` that no expected record stands at. */
  settleAhead(first: Offset, last: Offset = first): void {
    this.#settledAhead.add(first, last);
  }

  /** No more acks should be taken for what is not fetched yet: they stay with the client. */
  get aheadIsFull(): boolean {
    return this.#settledAhead.size >= maxAheadRanges;
  }

  settle(record: WindowRecord): void {
    this.#records.delete(record.offset);
    record.state = "settled";
    if (record.source === undefined) {
      this.#settledAhead.add(record.offset);
      return;
    }
    record.source = undefined;
    this.#count(-1, -record.bytes);
    this.#sweep();
  }

  /** Forgets all and begins again at `offset`. */
  reset(offset: Offset): void {
    this.#records.clear();
    this.#order = [];
    this.#head = 0;
    this.#expected = [];
    this.#settledAhead.dropBelow(Infinity);
    this.#next = offset;
    this.#admitted -= this.#live;
    this.#count(-this.#live, -this.#bytes);
  }

  /** It is another owner's: what it holds is no longer in the totals. */
  leave(): void {
    this.#totals.messages -= this.#live;
    this.#totals.bytes -= this.#bytes;
  }

  #count(messages: number, bytes: number): void {
    this.#live += messages;
    this.#bytes += bytes;
    this.#totals.messages += messages;
    this.#totals.bytes += bytes;
  }

  /** Takes the expected records below `offset` out; returns those that nobody settled. */
  #expectedBelow(offset: Offset): WindowRecord[] {
    const past = this.#expected.findIndex((record) => record.offset >= offset);
    const below = this.#expected.splice(0, past < 0 ? this.#expected.length : past);
    return below.filter((record) => record.state !== "settled");
  }

  /** Settled ones are taken out of the order when they are more than the others: O(1) a record in the long run. */
  #sweep(): void {
    if (this.#order.length <= 2 * this.#live + 1024) return;
    this.#order = this.#order.filter((record) => record.state !== "settled");
    this.#head = 0;
  }
}
