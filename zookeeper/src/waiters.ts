/** Promises that wait for one value to come, each with its own end of patience. */
export class Waiters<T> {
  readonly #waiting = new Set<{ resolve(value: T): void; reject(error: unknown): void }>();

  resolve(value: T): void {
    for (const one of this.#waiting) one.resolve(value);
  }

  reject(error: unknown): void {
    for (const one of this.#waiting) one.reject(error);
  }

  /** Rejects with `late()` after `timeoutMs` (undefined: never), or with the signal's reason. */
  wait(timeoutMs: number | undefined, late: () => Error, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#waiting.delete(one);
      };
      const one = {
        resolve: (value: T) => {
          end();
          resolve(value);
        },
        reject: (error: unknown) => {
          end();
          reject(error);
        },
      };
      const abort = () => one.reject(signal?.reason);
      const timer =
        timeoutMs === undefined ? undefined : setTimeout(() => one.reject(late()), timeoutMs);
      signal?.addEventListener("abort", abort);
      this.#waiting.add(one);
    });
  }
}
