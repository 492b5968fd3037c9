const firstMs = 50;
const longestMs = 1_000;

/**
 * How long to wait before the next attempt to connect, `round` counting how often all servers have been tried in vain:
 * soon at first, then doubling up to a second, evenly spread so that a thousand clients do not come back as one.
 */
export function reconnectDelayMs(round: number, random: () => number): number {
  return random() * Math.min(longestMs, firstMs * 2 ** Math.min(round, 10));
}
