import assert from "node:assert/strict";
import { test } from "node:test";
import { Harness, record } from "./test-harness.ts";

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
