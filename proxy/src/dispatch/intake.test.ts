import assert from "node:assert/strict";
import { test } from "node:test";
import { Harness, record } from "./test-harness.ts";
import type { SourceRecord } from "./types.ts";

test("a full share closes the intake, half of it opens it again, and nothing is taken twice", () => {
  const h = new Harness({ queue: { maxMessages: 10, maxBytes: 1e9 } });
  h.open("a");
  h.assign();
  assert.equal(h.admit(0, 14), 10);
  assert.deepEqual(h.intake, [[0, false]]);
  h.pull("a");
  h.ack("a", 0, 3);
  assert.equal(h.intake.length, 1);
  h.ack("a", 4);
  assert.deepEqual(h.intake.at(-1), [0, true]);
  assert.equal(h.admit(0, 14), 15, "what is below the window counts as taken");
  assert.deepEqual(
    h.pull("a").map(({ offset }) => offset),
    [10, 11, 12, 13, 14],
  );
});

test("bytes count too, but an empty window takes one record of any size", () => {
  const h = new Harness({ queue: { maxMessages: 100, maxBytes: 1_000 } });
  h.assign();
  assert.equal(h.dispatch.admit(h.now, 0, [record(0, 5_000), record(1, 1)], 2), 1);
  assert.ok(h.dispatch.windowBytes > 5_000);
});

test("partitions share the limits; one that goes makes room for the others", () => {
  const h = new Harness({ queue: { maxMessages: 20, maxBytes: 1e9 } });
  h.assign(0);
  h.assign(1);
  assert.equal(h.admit(0, 19, 0), 10);
  assert.equal(h.admit(0, 19, 1), 10);
  h.dispatch.lose(h.now, 1);
  assert.deepEqual(h.intake.at(-1), [0, true]);
});

const many = (count: number, bytes: number): SourceRecord[] =>
  Array.from({ length: count }, (_, offset) => record(offset, bytes));

test("partitions gained one by one find no more room than there is in the whole", () => {
  const h = new Harness({ queue: { maxMessages: 1e6, maxBytes: 1_000_000 } });
  h.open("a");
  for (let partition = 0; partition < 10; partition += 1) {
    h.assign(partition);
    h.dispatch.admit(h.now, partition, many(2_000, 1_000), 2_000);
    assert.ok(h.dispatch.windowBytes <= 1_000_000 + 1_100, `${h.dispatch.windowBytes} bytes`);
  }
});

test("large records: one more than the limits allow, however many partitions, and each has its turn", () => {
  const h = new Harness({ queue: { maxMessages: 100, maxBytes: 10_000 } });
  h.open("a");
  const closed = new Set<number>();
  const left = new Map<number, SourceRecord[]>();
  for (let partition = 0; partition < 30; partition += 1) {
    h.assign(partition);
    left.set(partition, many(2, 4_000));
  }
  const fetch = (): void => {
    for (const [partition, open] of h.intake.splice(0)) {
      if (open) closed.delete(partition);
      else closed.add(partition);
    }
    for (const [partition, records] of left) {
      if (closed.has(partition)) continue;
      const taken = h.dispatch.admit(h.now, partition, records, 2);
      left.set(partition, records.slice(taken));
      if (taken < records.length) closed.add(partition);
    }
  };
  let rounds = 0;
  for (; h.dispatch.partitions(h.now).some(({ watermark }) => watermark < 2); rounds += 1) {
    assert.ok(rounds < 100, "something stopped");
    fetch();
    assert.ok(h.dispatch.windowBytes <= 10_000 + 4_100, `${h.dispatch.windowBytes} bytes`);
    for (const { partition, offset } of h.pull("a", 1)) h.ack("a", offset, offset, partition);
  }
});

test("a full window that does not move leaves the others the room of one record, in turns", () => {
  const h = new Harness({ queue: { maxMessages: 1_000, maxBytes: 10_000 } });
  h.open("stuck");
  h.open("a");
  h.assign(0);
  const taken = h.dispatch.admit(h.now, 0, many(20, 1_000), 20);
  while (h.pull("stuck").length > 0);
  h.assign(1);
  h.assign(2);
  h.intake.length = 0;
  assert.equal(h.dispatch.admit(h.now, 1, many(3, 4_000), 3), 1);
  assert.equal(h.dispatch.admit(h.now, 2, many(3, 4_000), 3), 0);
  assert.deepEqual(h.intake, [
    [1, false],
    [2, false],
  ]);
  h.pull("a");
  h.ack("a", 0, 0, 1);
  // The one that has waited longer is asked first.
  assert.deepEqual(h.intake.slice(2), [
    [2, true],
    [1, true],
  ]);
  assert.equal(h.dispatch.admit(h.now, 2, many(3, 4_000), 3), 1);
  assert.equal(h.dispatch.admit(h.now, 1, many(3, 4_000).slice(1), 3), 0);
  h.ack("stuck", 0, taken - 1);
  assert.deepEqual(h.intake.at(-1), [0, true]);
  assert.equal(h.dispatch.admit(h.now, 1, many(3, 4_000).slice(1), 3), 1);
});

test("a partition that is not ours takes everything and keeps nothing", () => {
  const h = new Harness();
  assert.equal(h.admit(0, 9, 3), 10);
  assert.equal(h.dispatch.windowBytes, 0);
});

test("what no snapshot covers is bounded: at 100,000 the intake closes until a commit covers it", () => {
  const h = new Harness({
    queue: { maxMessages: 1_000_000, maxBytes: 1e12 },
    push: { maxCredit: 1e9 },
  });
  h.open("a", "push");
  h.assign();
  h.receive("a", { type: "credit", requestId: 1, delta: 200_000 });
  h.admit(0, 100_000);
  h.ack("a", 1, 100_000);
  assert.equal(h.admit(100_001, 100_001), 0);
  assert.deepEqual(h.intake.at(-1), [0, false]);
  h.commit();
  assert.deepEqual(h.intake.at(-1), [0, true], "one long run is covered whatever its length");
  assert.equal(h.dispatch.partitions(h.now)[0]?.uncovered, 0);
});
