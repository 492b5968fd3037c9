import { setTimeout as delay } from "node:timers/promises";

/** Deadline of a wait in a test: long, because machines may be small and busy. */
export const patienceMs = 90_000;

/** Asks until the answer is not undefined or false; throws with `what` when the deadline passes. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs = patienceMs,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms`);
    await delay(50);
  }
}
