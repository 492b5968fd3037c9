import assert from "node:assert/strict";
import { test } from "node:test";
import { podsFact, shortAge } from "./pod-status.ts";

const letters = (partitions: number[], retained: number, lastAt?: string) => ({
  partitions: partitions.map((partition) => ({ partition })),
  deadLetters: { retained, ...(lastAt !== undefined && { lastAt }) },
});

const aged = (...ages: number[]) => ({
  partitions: [{ partition: 0 }, ...ages.map((ageMs) => ({ oldestUnsettled: { ageMs } }))],
});

test("letters are added up, and the last is the last of all", () => {
  const answers = [
    letters([0, 3], 2, "2026-01-01T00:00:00.000Z"),
    letters([1], 0),
    letters([2], 5, "2026-02-01T00:00:00.000Z"),
  ];
  const fact = podsFact(answers, 4);
  assert.deepEqual(fact.deadLetters, { retained: 7, lastAt: "2026-02-01T00:00:00.000Z" });
  assert.equal(fact.oldestAgeMs, undefined);
});

test("owners of a part of the partitions know a part of the letters: that is no count", () => {
  assert.equal(podsFact([letters([0], 2), undefined], 2).deadLetters, undefined);
  assert.equal(podsFact([letters([0], 2), { partitions: [] }], 2).deadLetters, undefined);
  assert.equal(podsFact([letters([0], 2)], undefined).deadLetters, undefined);
  assert.equal(podsFact([], 2).deadLetters, undefined);
});

test("a pod that says nothing and has no partition takes nothing away", () => {
  assert.deepEqual(podsFact([letters([0, 1], 2), undefined], 2).deadLetters, { retained: 2 });
});

test("the oldest of all that answer", () => {
  assert.equal(podsFact([aged(1, 3_000), undefined, aged(7_000)], 2).oldestAgeMs, 7_000);
});

test("ages in few characters", () => {
  assert.deepEqual([0, 59_999, 60_000, 3_599_999, 3_600_000, 86_400_000 * 3].map(shortAge), [
    "0s",
    "59s",
    "1m",
    "59m",
    "1h",
    "3d",
  ]);
});
