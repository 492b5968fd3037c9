import assert from "node:assert/strict";
import { test } from "node:test";
import { podsFact, shortAge } from "./pod-status.ts";

const letters = (retained: number, lastAt?: string) => ({
  partitions: [],
  deadLetters: { retained, ...(lastAt !== undefined && { lastAt }) },
});

const aged = (...ages: number[]) => ({
  partitions: [{}, ...ages.map((ageMs) => ({ oldestUnsettled: { ageMs } }))],
});

test("letters are added up, and the last is the last of all", () => {
  const fact = podsFact([
    letters(2, "2026-01-01T00:00:00.000Z"),
    letters(0),
    letters(5, "2026-02-01T00:00:00.000Z"),
  ]);
  assert.deepEqual(fact.deadLetters, { retained: 7, lastAt: "2026-02-01T00:00:00.000Z" });
  assert.equal(fact.oldestAgeMs, undefined);
});

test("a part of the pods knows a part of the letters: that is no count", () => {
  assert.equal(podsFact([letters(2), undefined]).deadLetters, undefined);
  assert.equal(podsFact([letters(2), { partitions: [] }]).deadLetters, undefined);
  assert.equal(podsFact([]).deadLetters, undefined);
});

test("the oldest of all that answer", () => {
  assert.equal(podsFact([aged(1, 3_000), undefined, aged(7_000)]).oldestAgeMs, 7_000);
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
