export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/**
 * Which transactional batches belong to aborted transactions. A fetch response (read committed)
 * says where each began; where it ended is a control batch of the same producer in the log.
 */
export class AbortedRanges {
  readonly #upcoming: readonly AbortedTransaction[];
  #next = 0;
  readonly #open = new Set<bigint>();

  constructor(transactions: readonly AbortedTransaction[] = []) {
    this.#upcoming = [...transactions].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  get empty(): boolean {
    return this.#upcoming.length === 0;
  }

  /** For each transactional batch in the log's order: true when its records are not to be seen. */
  covers(producerId: bigint, lastOffset: number): boolean {
    this.#reach(lastOffset);
    return this.#open.has(producerId);
  }

  /**
   * A control batch of this producer: whatever it began before is decided, by commit or by abort.
   * The marker's own kind is not needed, so an emptied control batch (compaction) ends a range too.
   */
  ends(producerId: bigint, lastOffset: number): void {
    this.#reach(lastOffset);
    this.#open.delete(producerId);
  }

  #reach(offset: number): void {
    for (
      let next = this.#upcoming[this.#next];
      next !== undefined && next.firstOffset <= offset;
      next = this.#upcoming[++this.#next]
    ) {
      this.#open.add(next.producerId);
    }
  }
}
