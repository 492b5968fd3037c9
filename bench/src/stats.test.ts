import assert from "node:assert/strict";
import { test } from "node:test";
import { pairwise, quantile, rateAfter, spread } from "./stats.ts";

test("quantile lies between the two nearest ranks", () => {
  assert.equal(quantile([3, 1, 2], 0.5), 2);
  assert.equal(quantile([1, 2, 3, 4], 0.5), 2.5);
  assert.equal(quantile([10, 9], 1), 10);
  assert.equal(quantile([7], 0.99), 7);
  assert.throws(() => quantile([], 0.5), RangeError);
});

test("spread is median and range", () => {
  assert.deepEqual(spread([5, 1, 9]), { median: 5, min: 1, max: 9 });
});

test("pairwise combines rounds in the order they were run", () => {
  const ratio = pairwise([10, 40], [100, 80], (a, b) => a / b);
  assert.deepEqual([ratio.min, ratio.max], [0.1, 0.5]);
  assert.throws(() => pairwise([1], [], (a) => a), RangeError);
});

test("the rate leaves out the warm-up, whichever process took a mark", () => {
  // One record a ms during the warm-up of 2,000, then two a ms.
  const marks = [1000, 2000, 2500, 3000, 3500];
  assert.equal(rateAfter(marks, 1000, 2000), 2000);
  assert.equal(rateAfter([3500, 2500, 1000, 2000, 3000], 1000, 2000), 2000);
  assert.throws(() => rateAfter([1000, 2000], 1000, 2000), RangeError);
});
