import { isDeepStrictEqual } from "node:util";
import type { DeadLetters, Lag, Problem, ProblemReason } from "../api/index.ts";
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
  /** Likewise the problems. */
  readonly problemsAt: number;
}

interface Clock {
  readonly now: number;
  readonly everyMs: number;
}

/**
 * What is passed on of what was seen now. Lag and dead letters move all the time, and each value is a
 * write: another one is held back until the last is `everyMs` old. Another problem is told at once; the
 * same one in other words is not. Pure.
 */
export function nextTold(before: Told | undefined, seen: ResourceFacts, clock: Clock): Told {
  if (before === undefined) {
    const { lag, deadLetters } = seen;
    const figures = lag !== undefined || deadLetters !== undefined;
    return { facts: seen, figuresAt: figures ? clock.now : -Infinity, problemsAt: clock.now };
  }
  const { facts } = before;
  const figures = clock.now - before.figuresAt < clock.everyMs ? facts : seen;
  const { lag, deadLetters } = figures;
  const moved = !isDeepStrictEqual([lag, deadLetters], [facts.lag, facts.deadLetters]);
  const problems = sameWords(before, seen.problems, clock.now);
  return {
    facts: { ...seen, lag, deadLetters, problems },
    figuresAt: moved ? clock.now : before.figuresAt,
    problemsAt: isDeepStrictEqual(problems, facts.problems) ? before.problemsAt : clock.now,
  };
}

/** Told in the words of a server or of the network, which name now this broker and now that. */
const inForeignWords: ReadonlySet<ProblemReason> = new Set([
  "KafkaUnreachable",
  "KafkaLoginRefused",
  "ZooKeeperUnreachable",
  "ZooKeeperLoginRefused",
]);
const wordsEveryMs = 60_000;

/** The problems, those of servers in the words that were told for them while these are not old. */
function sameWords(
  { facts, problemsAt }: Told,
  problems: readonly Problem[],
  now: number,
): readonly Problem[] {
  if (now - problemsAt >= wordsEveryMs) return problems;
  const told = (problem: Problem): Problem | undefined =>
    facts.problems.find(({ reason }) => reason === problem.reason);
  return problems.map((one) => (inForeignWords.has(one.reason) ? (told(one) ?? one) : one));
}
