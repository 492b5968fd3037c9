import { setTimeout as delay } from "node:timers/promises";

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Doubles from `firstMs` (attempt 0) to `maxMs`, each with up to half of it taken off at random. */
export function backoffMs(attempt: number, options: BackoffOptions, random: () => number): number {
  const full = Math.min(options.maxMs, options.firstMs * 2 ** Math.min(attempt, 40));
  return full * (1 - random() / 2);
}

/** Ends after `ms`, or at once when `signal` aborts; never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // Aborted: the caller looks at the signal.
  }
}

/** What `work` gives, or undefined as soon as `signal` aborts: nobody waits for the rest of it then. */
export async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const abort = (): void => resolve(undefined);
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
