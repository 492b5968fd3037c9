import { isDeepStrictEqual } from "node:util";
import type { DeadLetters, Lag, Problem } from "../api/index.ts";
import type { SecretsFact } from "../desired/index.ts";

/** What was seen outside of the API's objects. */
export interface ResourceFacts {
  readonly secrets: SecretsFact;
  /** undefined when they could not just be read. */
  readonly partitions: number | undefined;
  readonly lag: Lag | undefined;
  /** The last that were known as a whole; undefined for never. */
  readonly deadLetters: DeadLetters | undefined;
  readonly problems: readonly Problem[];
}

/** Facts as they were passed on. */
export interface Told {
  readonly facts: ResourceFacts;
  /** Monotonic ms: when lag or dead letters were last passed on with another value. */
  readonly figuresAt: number;
}

/**
 * What is passed on of what was seen now. Lag and dead letters move all the time, and each value is a
 * write: another one is held back until the last is `everyMs` old. All else is told at once. Pure.
 */
export function nextTold(
  before: Told | undefined,
  seen: ResourceFacts,
  { now, everyMs }: { readonly now: number; readonly everyMs: number },
): Told {
  const [{ lag, deadLetters }, figuresAt] = [
    before?.facts ?? nothing,
    before?.figuresAt ?? -Infinity,
  ];
  if (isDeepStrictEqual([lag, deadLetters], [seen.lag, seen.deadLetters])) {
    return { facts: seen, figuresAt };
  }
  if (now - figuresAt >= everyMs) return { facts: seen, figuresAt: now };
  return { facts: { ...seen, lag, deadLetters }, figuresAt };
}

const nothing = { lag: undefined, deadLetters: undefined };
