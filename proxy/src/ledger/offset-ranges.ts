import type { Offset } from "@kafkaproxy/wire";

/**
 * A set of offsets of one partition as sorted, disjoint, non-adjacent ranges.
 * Offsets mostly come in order, so adding at the end costs O(1); elsewhere O(log n) to find and O(n) to make room.
 */
export class OffsetRanges {
  readonly #firsts: Offset[] = [];
  readonly #lasts: Offset[] = [];

  /** How many ranges, not how many offsets. */
  get size(): number {
    return this.#firsts.length;
  }

  /** Adds `first` to `last`, both included. */
  add(first: Offset, last: Offset = first): void {
    const firsts = this.#firsts;
    const lasts = this.#lasts;
    const end = firsts.length - 1;
    const lastEnd = lasts[end];
    if (lastEnd === undefined || first > lastEnd + 1) {
      firsts.push(first);
      lasts.push(last);
      return;
    }
    // The ranges from `from` on, up to but without `to`, touch the new one and melt into it.
    const from = this.#indexOf(first - 1);
    let to = from;
    while (to < firsts.length && (firsts[to] ?? 0) <= last + 1) to += 1;
    if (to === from) {
      firsts.splice(from, 0, first);
      lasts.splice(from, 0, last);
      return;
    }
    firsts[from] = Math.min(first, firsts[from] ?? first);
    lasts[from] = Math.max(last, lasts[to - 1] ?? last);
    if (to - from > 1) {
      firsts.splice(from + 1, to - from - 1);
      lasts.splice(from + 1, to - from - 1);
    }
  }

  addAll(other: OffsetRanges): void {
    for (const [first, last] of other) this.add(first, last);
  }

  has(offset: Offset): boolean {
    const first = this.#firsts[this.#indexOf(offset)];
    return first !== undefined && first <= offset;
  }

  /** The first offset at or after `offset` that is not in the set. */
  firstMissing(offset: Offset): Offset {
    const at = this.#indexOf(offset);
    const first = this.#firsts[at];
    return first !== undefined && first <= offset ? (this.#lasts[at] ?? offset) + 1 : offset;
  }

  /** How many offsets from `first` to `last` are in the set. */
  countWithin(first: Offset, last: Offset): number {
    let count = 0;
    for (let at = this.#indexOf(first); at < this.#firsts.length; at += 1) {
      const from = Math.max(first, this.#firsts[at] ?? 0);
      if (from > last) break;
      count += Math.min(last, this.#lasts[at] ?? 0) - from + 1;
    }
    return count;
  }

  /** Forgets everything below `offset`. */
  dropBelow(offset: Offset): void {
    const keep = this.#indexOf(offset);
    this.#firsts.splice(0, keep);
    this.#lasts.splice(0, keep);
    const first = this.#firsts[0];
    if (first !== undefined && first < offset) this.#firsts[0] = offset;
  }

  *[Symbol.iterator](): Generator<readonly [first: Offset, last: Offset]> {
    for (let at = 0; at < this.#firsts.length; at += 1) {
      yield [this.#firsts[at] ?? 0, this.#lasts[at] ?? 0];
    }
  }

  /** Index of the first range that ends at or after `offset`. */
  #indexOf(offset: Offset): number {
    let low = 0;
    let high = this.#lasts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lasts[middle] ?? 0) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
