import assert from "node:assert/strict";
import { test } from "node:test";
import { StuckWatch } from "./stuck-watch.ts";

const at = (watermark: number): { partition: number; watermark: number }[] => [
  { partition: 0, watermark },
];

test("stuck: lag, and a watermark that has not moved for the set time", () => {
  const watch = new StuckWatch(1_000);
  watch.observe(0, at(5), () => 10);
  watch.observe(900, at(5), () => 12);
  assert.equal(watch.isStuck(999, 0), false);
  assert.equal(watch.isStuck(1_000, 0), true);
  watch.observe(1_100, at(6), () => 12);
  assert.equal(watch.isStuck(1_200, 0), false);
});

test("not stuck: no lag, an unknown end, another owner in between", () => {
  const watch = new StuckWatch(1_000);
  watch.observe(0, at(10), () => 10);
  watch.observe(2_000, at(10), () => 10);
  assert.equal(watch.isStuck(2_500, 0), false);
  watch.observe(3_000, at(10), () => 11);
  watch.observe(3_100, [], () => 11);
  watch.observe(5_000, at(10), () => 11);
  assert.equal(watch.isStuck(5_000, 0), false);
  const unknown = new StuckWatch(1_000);
  unknown.observe(0, at(10), () => undefined);
  unknown.observe(5_000, at(10), () => undefined);
  assert.equal(unknown.isStuck(5_000, 0), false);
});
