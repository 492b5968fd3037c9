import assert from "node:assert/strict";
import { test } from "node:test";
import { createMeter, hostClockMs, markEvery, writeStamp } from "./meter.ts";

test("throughput: one mark every so many records, each reported once", () => {
  const meter = createMeter("throughput");
  for (let i = 0; i < 2 * markEvery + 1; i++) meter.take(null);
  const { count, values } = meter.report();
  assert.equal(count, 2 * markEvery + 1);
  assert.equal(values.length, 2);
  assert.deepEqual(meter.report(), { count, values: [] });
});

test("latency: from the stamp to now; a warm-up record is counted and not measured", () => {
  const meter = createMeter("latency");
  // Values come as slices of something larger.
  const value = Buffer.alloc(64).subarray(8, 40);
  writeStamp(value, 0);
  meter.take(value);
  writeStamp(value, hostClockMs() - 5);
  meter.take(value);
  const { count, values } = meter.report();
  assert.equal(count, 2);
  assert.equal(values.length, 1);
  assert.ok(values[0]! >= 5);
});
