/** Values by (partition, offset). */
export class RecordMap<T> {
  readonly #partitions = new Map<number, Map<number, T>>();

  get(partition: number, offset: number): T | undefined {
    return this.#partitions.get(partition)?.get(offset);
  }

  set(partition: number, offset: number, value: T): void {
    let values = this.#partitions.get(partition);
    if (values === undefined) {
      values = new Map();
      this.#partitions.set(partition, values);
    }
    values.set(offset, value);
  }

  /** Removes it, unless another value stands there by now. */
  delete(partition: number, offset: number, value: T): void {
    const values = this.#partitions.get(partition);
    if (values?.get(offset) === value) {
      values.delete(offset);
    }
  }

  /** May be deleted from while it is walked. */
  *inPartition(partition: number): Generator<T> {
    yield* this.#partitions.get(partition)?.values() ?? [];
  }

  *values(): Generator<T> {
    for (const values of this.#partitions.values()) {
      yield* values.values();
    }
  }
}
