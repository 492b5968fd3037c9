import assert from "node:assert/strict";
import { test } from "node:test";
import { Harness, record } from "./test-harness.ts";

const first = { partition: 0, offset: 0, attempt: 1 };

test("backoff: the second attempt at once, the third after a second, then double", () => {
  const h = new Harness();
  h.open("a");
  h.assign();
  h.admit(0, 0);
  const waits: number[] = [];
  for (let attempt = 1; attempt < 5; attempt += 1) {
    const [delivery] = h.pull("a");
    assert.ok(delivery);
    h.receive("a", { type: "nack", record: delivery, delayMs: -1, reason: "" });
    h.commit();
    const nackedAt = h.now;
    while (h.dispatch.ready === 0) h.advance(1);
    waits.push(h.now - nackedAt);
  }
  for (const [at, expected] of [0, 1_000, 2_000, 4_000].entries()) {
    const waited = waits[at] ?? -1;
    assert.ok(waited >= expected && waited <= expected + 16, `${waited} for ${expected}`);
  }
});

test("a nack can ask for its delay, which is cut to the limit", () => {
  const h = new Harness({ maxNackDelayMs: 2_000 });
  h.open("a");
  h.assign();
  h.admit(0, 0);
  h.pull("a");
  h.receive("a", { type: "nack", record: first, delayMs: 60_000, reason: "" });
  h.commit();
  h.advance(1_990);
  assert.equal(h.dispatch.ready, 0);
  h.advance(30);
  assert.equal(h.dispatch.ready, 1);
});

test("a delivery waits for its count only; first deliveries go on meanwhile", () => {
  const h = new Harness();
  h.open("a");
  h.assign();
  h.admit(0, 1);
  h.pull("a", 1);
  const open = h.dispatch.takeCommits(h.now, true);
  h.receive("a", { type: "nack", record: first, delayMs: 0, reason: "" });
  assert.deepEqual(h.pull("a", 1), [{ partition: 0, offset: 1, attempt: 1 }]);
  for (const commit of open) h.dispatch.commitConfirmed(h.now, commit);
  assert.deepEqual(h.pull("a"), [], "that commit was taken before the nack");
  const [next] = h.dispatch.takeCommits(h.now);
  assert.ok(next);
  h.dispatch.commitFailed(h.now, next, false);
  assert.deepEqual(h.pull("a"), [], "that one failed");
  h.commit();
  assert.deepEqual(h.pull("a"), [{ partition: 0, offset: 0, attempt: 2 }]);
});

test("what is given back unstarted does not count, and comes again at once", () => {
  const h = new Harness();
  h.open("a");
  h.open("b");
  h.assign();
  h.admit(0, 0);
  for (let round = 0; round < 20; round += 1) {
    const [delivery] = h.pull("a");
    assert.deepEqual(delivery, first);
    h.receive("a", { type: "release", records: [first] });
  }
  assert.deepEqual(h.pull("b"), [first]);
  assert.equal(h.dispatch.counters.released, 20);
});

test("a rejected record goes to the dead letters with the worker's words, whatever attempt it is", () => {
  const h = new Harness();
  h.open("a");
  h.assign();
  h.admit(0, 0);
  h.pull("a");
  h.receive("a", { type: "reject", record: first, reason: "no such customer" });
  const [dead] = h.dead;
  assert.equal(dead?.disposition, "rejected");
  assert.equal(dead?.message, "no such customer");
  assert.equal(dead?.worker, "worker a");
  assert.equal(dead?.deliveries, 1);
  assert.equal(dead?.firstDeliveredAt, h.now);
});

test("a record that no frame can hold is dead at once, and holds nobody up", () => {
  const h = new Harness({ maxFrameBytes: 1_000 });
  h.open("a");
  h.assign();
  h.dispatch.admit(h.now, 0, [record(0, 2_000), record(1, 10)], 2);
  assert.equal(h.dead[0]?.disposition, "oversize");
  assert.deepEqual(h.pull("a"), [{ partition: 0, offset: 1, attempt: 1 }]);
  h.ack("a", 1);
  assert.equal(h.commit()[0]?.offset, 0);
  h.dispatch.deadLettered(h.now, 0, 0);
  assert.equal(h.commit()[0]?.offset, 2);
});

test("a late ack settles what waits for its dead letter; the dead letter's own answer is harmless then", () => {
  const h = new Harness({ maxDeliveries: 1 });
  h.open("a");
  h.assign();
  h.admit(0, 0);
  h.pull("a");
  h.advance(3_100);
  assert.equal(h.dead.length, 1);
  h.ack("a", 0);
  h.dispatch.deadLettered(h.now, 0, 0);
  assert.equal(h.commit()[0]?.offset, 1);
});

test("renewing all keeps every lease but the excepted ones, up to the longest processing time", () => {
  const h = new Harness({ maxProcessingTimeMs: 10_000 });
  const port = h.open("a");
  h.assign();
  h.admit(0, 2);
  h.pull("a");
  const renew = (): void =>
    h.receive("a", {
      type: "extend",
      all: true,
      except: [{ partition: 0, first: 1, last: 1 }],
      records: [],
    });
  for (let second = 1; second <= 9; second += 1) {
    h.advance(1_000);
    renew();
  }
  const cancelled = port
    .take("cancel")
    .flatMap(({ records }) => records.map(({ offset }) => offset));
  assert.deepEqual(cancelled, [1]);
  h.advance(1_100);
  renew();
  assert.deepEqual(
    port.take("cancel").flatMap(({ records }) => records.map(({ offset }) => offset)),
    [0, 2],
  );
});

test("only the current holder can nack, reject and extend; strangers are told so", () => {
  const h = new Harness();
  const a = h.open("a");
  const b = h.open("b");
  h.assign();
  h.admit(0, 0);
  h.pull("a");
  h.advance(3_100);
  h.commit();
  const extend = { type: "extend", all: false, except: [], records: [first] } as const;
  h.receive("a", extend);
  h.receive("a", { type: "nack", record: first, delayMs: 0, reason: "" });
  assert.deepEqual(
    a.take("error").map(({ code }) => code),
    ["stale", "stale"],
  );
  h.receive("b", extend);
  assert.deepEqual(
    b.take("error").map(({ code }) => code),
    ["not-held"],
  );
  h.receive("b", { ...extend, records: [{ partition: 7, offset: 0, attempt: 1 }] });
  assert.deepEqual(
    b.take("error").map(({ code }) => code),
    ["moved"],
  );
});
