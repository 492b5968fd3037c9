import type { DispatchOptions } from "./types.ts";

/** Share of the delay that chance adds or takes, so that what failed together does not come back together. */
const jitter = 0.2;

/** Delay in ms before the delivery after the `deliveries`-th: none, then `initialMs` doubling to `maxMs`. */
export function backoffMs(
  deliveries: number,
  { initialMs, maxMs }: DispatchOptions["backoff"],
  random: () => number,
): number {
  if (deliveries < 2) return 0;
  const base = Math.min(maxMs, initialMs * 2 ** (deliveries - 2));
  return Math.min(maxMs, base * (1 + jitter * (2 * random() - 1)));
}
