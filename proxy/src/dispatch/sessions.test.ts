import assert from "node:assert/strict";
import { test } from "node:test";
import { Harness, TestPort } from "./test-harness.ts";

test("a dropped connection does not end its leases: the session comes back, renews and acks", () => {
  const h = new Harness();
  const port = h.open("a");
  h.assign();
  h.admit(0, 0);
  h.pull("a");
  h.dispatch.detach(h.now, "a", port);
  h.advance(2_000);
  const again = new TestPort();
  assert.ok(h.dispatch.resume(h.now, "a", again));
  assert.equal(again.frames[0]?.type, "owned");
  h.receive("a", { type: "extend", all: true, except: [], records: [] });
  h.advance(2_000);
  h.ack("a", 0);
  assert.equal(h.commit()[0]?.offset, 1);
  assert.equal(again.take("settled").length, 1);
  assert.equal(h.dispatch.counters.expired, 0);
});

test("what was cancelled while nobody listened is said when the session is back", () => {
  const h = new Harness({ ackTimeoutMs: 3_000 });
  const port = h.open("a");
  h.assign();
  h.admit(0, 0);
  h.pull("a");
  h.advance(1_000);
  h.dispatch.detach(h.now, "a", port);
  h.advance(2_100);
  const again = new TestPort();
  assert.ok(h.dispatch.resume(h.now, "a", again));
  assert.equal(again.take("cancel")[0]?.reason, "expired");
});

test("partitions are announced under the group's generation, and again when it moves on", () => {
  const h = new Harness();
  const port = h.open("a");
  h.dispatch.setGeneration(h.now, 7);
  h.assign();
  h.dispatch.setGeneration(h.now, 8);
  h.dispatch.setGeneration(h.now, 8);
  assert.deepEqual(port.take("owned"), [
    { type: "owned", partitions: [], generation: 0 },
    { type: "owned", partitions: [], generation: 7 },
    { type: "owned", partitions: [0], generation: 7 },
    { type: "owned", partitions: [0], generation: 8 },
  ]);
  const later = new TestPort();
  assert.ok(h.dispatch.resume(h.now, "a", later));
  assert.deepEqual(later.take("owned"), [{ type: "owned", partitions: [0], generation: 8 }]);
});

test("a session without a connection and without a lease is forgotten, its late ack is not", () => {
  const h = new Harness();
  const port = h.open("a");
  h.assign();
  h.admit(0, 0);
  h.pull("a");
  h.dispatch.detach(h.now, "a", port);
  h.advance(10_000);
  assert.equal(h.dispatch.sessions(h.now).length, 0);
  assert.equal(h.dispatch.resume(h.now, "a", new TestPort()), false);
  h.open("a");
  h.ack("a", 0);
  assert.equal(h.commit()[0]?.offset, 1);
});

test("a graceful end: what was released comes again uncounted, what was started counts", () => {
  const h = new Harness();
  h.open("a");
  h.open("b");
  h.assign();
  h.admit(0, 4);
  const held = h.pull("a");
  h.receive("a", { type: "release", records: held.slice(2) });
  h.dispatch.close(h.now, "a");
  h.commit();
  assert.deepEqual(
    h.pull("b").map(({ offset, attempt }) => [offset, attempt]),
    [
      [2, 1],
      [3, 1],
      [4, 1],
      [0, 2],
      [1, 2],
    ],
  );
  assert.equal(h.dispatch.inFlight, 5);
});

test("a record that hangs every worker is a dead letter in the end, though each worker is restarted gracefully", () => {
  const h = new Harness();
  h.assign();
  h.admit(0, 0);
  const attempts: number[] = [];
  for (let worker = 1; worker <= 8; worker += 1) {
    h.open(`w${worker}`);
    attempts.push(...h.pull(`w${worker}`).map(({ attempt }) => attempt));
    h.dispatch.close(h.now, `w${worker}`);
    h.commit();
    h.advance(60_000);
  }
  assert.deepEqual(attempts, [1, 2, 3, 4, 5]);
  assert.equal(h.dead[0]?.disposition, "deliveries-exhausted");
  assert.match(h.dead[0]?.message ?? "", /Its worker ended without an answer/);
});

test("an old connection that is noticed late does not take the new one down", () => {
  const h = new Harness();
  const old = h.open("a");
  const fresh = new TestPort();
  assert.ok(h.dispatch.resume(h.now, "a", fresh));
  h.dispatch.detach(h.now, "a", old);
  assert.deepEqual(
    h.dispatch.sessions(h.now).map(({ connected }) => connected),
    [true],
  );
});

test("what a connection asked for is gone with it: claims, offers and credit", () => {
  const h = new Harness();
  const port = h.open("a");
  const other = h.open("b");
  h.assign();
  const pull = { type: "pull", maxMessages: 9, maxBytes: 1e6, waitMs: 9_000, offerId: 0 } as const;
  h.receive("a", { ...pull, requestId: 1, wait: "claim" });
  h.receive("a", { ...pull, requestId: 2, wait: "offer" });
  h.receive("a", { type: "credit", requestId: 3, delta: 10 });
  h.receive("b", { ...pull, requestId: 1, wait: "claim" });
  h.dispatch.detach(h.now, "a", port);
  h.dispatch.resume(h.now, "a", port);
  h.admit(0, 3);
  assert.equal(other.take("deliver")[0]?.records.length, 4);
});
