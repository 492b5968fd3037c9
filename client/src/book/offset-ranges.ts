/** A set of offsets as sorted ranges that neither touch nor overlap. */
export class OffsetRanges {
  // Two plain arrays are searched and moved faster than one of objects.
  readonly #firsts: number[] = [];
  readonly #lasts: number[] = [];

  /** Number of ranges. */
  get length(): number {
    return this.#firsts.length;
  }

  has(offset: number): boolean {
    return this.hasAnyOf(offset, offset);
  }

  /** Whether any of `first` to `last` is there. */
  hasAnyOf(first: number, last: number): boolean {
    const next = this.#firsts[this.#firstEndingAtOrAfter(first)];
    return next !== undefined && next <= last;
  }

  /** Adds `first` to `last`, both included. */
  add(first: number, last: number): void {
    // From the first range that touches to the first that lies wholly behind.
    const from = this.#firstEndingAtOrAfter(first - 1);
    let to = from;
    let start = first;
    let end = last;
    for (let next = this.#firsts[to]; next !== undefined && next <= last + 1; ) {
      start = Math.min(start, next);
      end = Math.max(end, this.#lasts[to] ?? end);
      to++;
      next = this.#firsts[to];
    }
    this.#replace(from, to, [start], [end]);
  }

  /** Removes `first` to `last`, both included; absent offsets do not matter. */
  remove(first: number, last: number): void {
    const from = this.#firstEndingAtOrAfter(first);
    let to = from;
    const firsts: number[] = [];
    const lasts: number[] = [];
    for (let start = this.#firsts[to]; start !== undefined && start <= last; ) {
      const end = this.#lasts[to] ?? start;
      if (start < first) {
        firsts.push(start);
        lasts.push(first - 1);
      }
      if (end > last) {
        firsts.push(last + 1);
        lasts.push(end);
      }
      to++;
      start = this.#firsts[to];
    }
    if (to > from) {
      this.#replace(from, to, firsts, lasts);
    }
  }

  forEach(visit: (first: number, last: number) => void): void {
    for (const [index, first] of this.#firsts.entries()) {
      visit(first, this.#lasts[index] ?? first);
    }
  }

  #replace(from: number, to: number, firsts: readonly number[], lasts: readonly number[]): void {
    if (to - from === 1 && firsts.length === 1) {
      this.#firsts[from] = firsts[0] ?? 0;
      this.#lasts[from] = lasts[0] ?? 0;
      return;
    }
    this.#firsts.splice(from, to - from, ...firsts);
    this.#lasts.splice(from, to - from, ...lasts);
  }

  #firstEndingAtOrAfter(offset: number): number {
    let low = 0;
    let high = this.#lasts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lasts[middle] ?? offset) < offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
