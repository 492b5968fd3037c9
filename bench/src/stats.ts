/** Median and range of a few rounds. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Linear between the two nearest ranks. Throws when there are no values. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new RangeError("a quantile of no values was asked for");
  const sorted = Float64Array.from(values).sort();
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)] ?? 0;
  const above = sorted[Math.ceil(at)] ?? 0;
  return below + (above - below) * (at - Math.floor(at));
}

export function spread(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), min: quantile(values, 0), max: quantile(values, 1) };
}

/** Spread of `combine` over the rounds of two subjects, pair by pair: what the machine did to both cancels out. */
export function pairwise(
  ours: readonly number[],
  theirs: readonly number[],
  combine: (our: number, their: number) => number,
): Spread {
  if (ours.length !== theirs.length) {
    throw new RangeError(`${ours.length} rounds can't be paired with ${theirs.length}`);
  }
  return spread(ours.map((our, i) => combine(our, theirs[i] ?? 0)));
}

/**
 * Records per second after a warm-up.
 * @param marks times in ms at which one more `every` records were done, in any order.
 */
export function rateAfter(marks: readonly number[], every: number, warmup: number): number {
  const sorted = Float64Array.from(marks).sort();
  const from = Math.ceil(warmup / every) - 1;
  const start = sorted[from];
  const end = sorted.at(-1);
  if (start === undefined || end === undefined || end <= start) {
    throw new RangeError(`${marks.length} marks of ${every} records are too few to measure a rate`);
  }
  return ((sorted.length - 1 - from) * every * 1000) / (end - start);
}
