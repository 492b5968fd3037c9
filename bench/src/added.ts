import type { Stamp } from "./meter.ts";

/** Milliseconds from each record's arrival to its handler. Throws when one that was handled never arrived. */
export function addedMs(arrivals: readonly Stamp[], handled: readonly Stamp[]): number[] {
  const arrivedAt = new Map<string, number>();
  for (const stamp of arrivals) {
    const name = nameOf(stamp);
    // Fetched again, it has been here before.
    if (!arrivedAt.has(name)) arrivedAt.set(name, stamp.atMs);
  }
  return handled.map((stamp) => {
    const from = arrivedAt.get(nameOf(stamp));
    if (from === undefined) {
      throw new RangeError(`record ${nameOf(stamp)} was handled and never arrived`);
    }
    return stamp.atMs - from;
  });
}

function nameOf({ partition, offset }: Stamp): string {
  return `${partition}:${offset}`;
}
