/** One of a thing for each key, however many use it; it is closed when the last has let go. */
export class SharedPool<T> {
  readonly #close: (value: T) => Promise<void>;
  readonly #entries = new Map<string, { readonly value: T; users: number }>();

  constructor(close: (value: T) => Promise<void>) {
    this.#close = close;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The key's value, made if there is none. `release` may be called more than once. */
  acquire(
    key: string,
    make: () => T,
  ): { readonly value: T; readonly release: () => Promise<void> } {
    const entry = this.#entries.get(key) ?? { value: make(), users: 0 };
    this.#entries.set(key, entry);
    entry.users += 1;
    let held = true;
    return {
      value: entry.value,
      release: async () => {
        if (!held) return;
        held = false;
        entry.users -= 1;
        if (entry.users > 0) return;
        this.#entries.delete(key);
        await this.#close(entry.value);
      },
    };
  }
}
