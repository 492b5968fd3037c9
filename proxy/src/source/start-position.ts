/** Where a group starts on a partition that it has no commit for. Pure. */
export type OffsetReset = "earliest" | "latest" | "fail";

/** Number of partitions that the topic had when the group began; undefined when that is not known. */
export interface GroupBirth {
  readonly partitions: number;
}

export interface StartPositionInput {
  readonly partition: number;
  readonly offsetReset: OffsetReset;
  /** Partitions of the topic for which the group has a commit. */
  readonly committed: ReadonlySet<number>;
  readonly birth: GroupBirth | undefined;
}

/**
 * `offsetReset` is for a group that begins. Its proxies begin at the same moment, so that one may see the
 * other's first commits: what was there at the group's birth is still part of the beginning. Anything later is
 * a partition that was added: from its first record, or those before our notice would be lost.
 */
export function startPosition(input: StartPositionInput): OffsetReset {
  if (input.committed.size === 0) return input.offsetReset;
  if (input.birth !== undefined && input.partition < input.birth.partitions) {
    return input.offsetReset === "fail" ? "earliest" : input.offsetReset;
  }
  return "earliest";
}
