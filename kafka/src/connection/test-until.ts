import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** For tests: until `condition` holds. Generous, because the machine may be busy. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) assert.fail(`not within ${timeoutMs} ms: ${what}`);
    await sleep(10);
  }
}
