/** Who uses a thing now, by name. */
export type Users = () => readonly string[];

interface Entry<T> {
  readonly value: T;
  readonly uses: Set<{ readonly user: string }>;
}

/** One of a thing for each key, however many use it; it is closed when the last has let go. */
export class SharedPool<T> {
  readonly #close: (value: T) => Promise<void>;
  readonly #entries = new Map<string, Entry<T>>();

  constructor(close: (value: T) => Promise<void>) {
    this.#close = close;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The key's value, made if there is none. `release` may be called more than once. */
  acquire(
    key: string,
    user: string,
    make: (users: Users) => T,
  ): { readonly value: T; readonly release: () => Promise<void> } {
    const known = this.#entries.get(key);
    const uses = known?.uses ?? new Set();
    const use = { user };
    uses.add(use);
    const users = (): string[] => [...new Set(Array.from(uses, (one) => one.user))].sort();
    const value = known === undefined ? make(users) : known.value;
    this.#entries.set(key, { value, uses });
    let held = true;
    return {
      value,
      release: async () => {
        if (!held) return;
        held = false;
        if (uses.size > 1) {
          uses.delete(use);
          return;
        }
        // The last stays its user while it is closed.
        this.#entries.delete(key);
        await this.#close(value);
      },
    };
  }
}
