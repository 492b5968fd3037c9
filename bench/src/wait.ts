import { setTimeout as delay } from "node:timers/promises";

/** Nothing in a round takes that long unless it hangs. */
const deadlineMs = 120_000;

/** Polls until `reached`; throws when `signal` is aborted or the deadline passes. */
export async function waitFor(
  what: string,
  signal: AbortSignal,
  reached: () => boolean,
): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!reached()) {
    if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs / 1000} s`);
    await delay(20, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
