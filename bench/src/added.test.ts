import assert from "node:assert/strict";
import { test } from "node:test";
import { addedMs } from "./added.ts";

test("each record's own difference, by partition and offset, whatever the order", () => {
  const arrivals = [
    { partition: 0, offset: 7, atMs: 100 },
    { partition: 1, offset: 7, atMs: 110 },
    { partition: 0, offset: 8, atMs: 120 },
  ];
  const handled = [
    { partition: 0, offset: 8, atMs: 121 },
    { partition: 1, offset: 7, atMs: 150 },
    { partition: 0, offset: 7, atMs: 102 },
  ];
  assert.deepEqual(addedMs(arrivals, handled), [1, 40, 2]);
});

test("a record that is fetched again arrived when it was here first", () => {
  const place = { partition: 0, offset: 7 };
  const arrivals = [
    { ...place, atMs: 100 },
    { ...place, atMs: 130 },
  ];
  assert.deepEqual(addedMs(arrivals, [{ ...place, atMs: 140 }]), [40]);
});

test("a record that never arrived is an error, not a figure", () => {
  const handled = [{ partition: 2, offset: 9, atMs: 1 }];
  assert.throws(() => addedMs([{ partition: 2, offset: 8, atMs: 1 }], handled), /record 2:9/);
});
