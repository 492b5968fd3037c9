import { setTimeout as delay } from "node:timers/promises";

/** Doubles from `firstMs` to `maxMs`, each with up to half of it taken off at random. */
export function backoffMs(
  attempt: number,
  { firstMs = 50, maxMs = 2_000 }: { firstMs?: number; maxMs?: number } = {},
  random: () => number = Math.random,
): number {
  const full = Math.min(maxMs, firstMs * 2 ** Math.min(attempt, 20));
  return full * (1 - random() / 2);
}

/** Ends after `ms`, or at once when `signal` aborts; never rejects. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return;
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch {
    // Aborted: the caller looks at the signal.
  }
}

/** Ends with `work` or after `ms`, whichever is first; never rejects. */
export async function within(ms: number, work: Promise<unknown> | undefined): Promise<void> {
  const over = new AbortController();
  const settled = Promise.resolve(work).then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([settled, pause(ms, over.signal)]);
  over.abort();
}
