import assert from "node:assert/strict";
import { test } from "node:test";
import { nextTold, type ResourceFacts } from "./told.ts";

const facts = (messages: number | undefined, more: Partial<ResourceFacts> = {}): ResourceFacts => ({
  secrets: { hash: "", problems: [] },
  partitions: 1,
  lag: messages === undefined ? undefined : { messages },
  deadLetters: undefined,
  problems: [],
  ...more,
});

const at = (now: number) => ({ now, everyMs: 10_000 });

test("another lag is told when the last one is 10 s old, and not before", () => {
  const first = nextTold(undefined, facts(1), at(0));
  assert.equal(first.facts.lag?.messages, 1);
  const held = nextTold(first, facts(2), at(9_999));
  assert.equal(held.facts.lag?.messages, 1);
  assert.equal(nextTold(held, facts(undefined), at(9_999)).facts.lag?.messages, 1);
  const second = nextTold(held, facts(3), at(10_000));
  assert.equal(second.facts.lag?.messages, 3);
  assert.equal(nextTold(second, facts(4), at(12_000)).facts.lag?.messages, 3);
});

test("so are dead letters", () => {
  const first = nextTold(undefined, facts(0, { deadLetters: { retained: 1 } }), at(0));
  const held = nextTold(first, facts(0, { deadLetters: { retained: 2 } }), at(5_000));
  assert.deepEqual(held.facts.deadLetters, { retained: 1 });
});

test("a problem, and the first lag that is known, are told at once", () => {
  const first = nextTold(undefined, facts(undefined), at(0));
  const second = nextTold(first, facts(5), at(1_000));
  assert.equal(second.facts.lag?.messages, 5);
  const problem = { reason: "KafkaUnreachable", found: "away" } as const;
  const third = nextTold(second, facts(6, { problems: [problem] }), at(2_000));
  assert.deepEqual(third.facts.problems, [problem]);
  assert.equal(third.facts.lag?.messages, 5);
});

test("a lag that stands still is no reason to hold the next one back", () => {
  const first = nextTold(undefined, facts(1), at(0));
  const same = nextTold(first, facts(1), at(9_000));
  assert.equal(nextTold(same, facts(2), at(10_000)).facts.lag?.messages, 2);
});

const away = (found: string) => ({ reason: "KafkaUnreachable", found }) as const;
const missing = (found: string) => ({ reason: "SecretMissing", found }) as const;

test("a server that is away is not told anew because its words change, but for once a minute", () => {
  const first = nextTold(undefined, facts(1, { problems: [away("broker 1: refused")] }), at(0));
  const other = facts(1, { problems: [away("broker 2: timed out")] });
  const second = nextTold(first, other, at(59_999));
  assert.deepEqual(second.facts.problems, [away("broker 1: refused")]);
  assert.deepEqual(nextTold(second, other, at(60_000)).facts.problems, other.problems);
});

test("another problem beside it, and the end of one, are told at once; so are our own words", () => {
  const first = nextTold(undefined, facts(1, { problems: [missing("a"), away("x")] }), at(0));
  const second = nextTold(first, facts(1, { problems: [missing("b"), away("y")] }), at(1));
  assert.deepEqual(second.facts.problems, [missing("b"), away("x")]);
  assert.deepEqual(nextTold(second, facts(1), at(2)).facts.problems, []);
});
