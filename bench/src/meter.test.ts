import assert from "node:assert/strict";
import { test } from "node:test";
import { createMeter, hostClockMs, markEvery, writeStamp } from "./meter.ts";

test("throughput: one mark every so many records, each reported once", () => {
  const meter = createMeter("throughput");
  for (let i = 0; i < 2 * markEvery + 1; i++) meter.take(null);
  const { count, values } = meter.report();
  assert.equal(count, 2 * markEvery + 1);
  assert.equal(values.length, 2);
  assert.deepEqual(meter.report(), { count, values: [], stamps: [] });
});

test("latency: from the stamp to now; a warm-up record is counted and not measured", () => {
  const meter = createMeter("latency");
  // Values come as slices of something larger.
  const value = Buffer.alloc(64).subarray(8, 40);
  writeStamp(value, 0);
  meter.take(value, { partition: 1, offset: 10 });
  const sentAt = hostClockMs() - 5;
  writeStamp(value, sentAt);
  meter.take(value, { partition: 1, offset: 11 });
  meter.take(value);
  const { count, values, stamps } = meter.report();
  assert.equal(count, 3);
  assert.equal(values.length, 2);
  assert.ok(values[0]! >= 5);
  const [stamp, ...more] = stamps;
  assert.ok(stamp);
  assert.deepEqual([stamp.partition, stamp.offset, more.length], [1, 11, 0]);
  assert.ok(Math.abs(stamp.atMs - sentAt - values[0]!) < 1e-6, "one reading of the clock for both");
});
