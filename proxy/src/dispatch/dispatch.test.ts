import assert from "node:assert/strict";
import { test } from "node:test";
import { Harness } from "./test-harness.ts";

test("a record goes out once, is acked, and is settled when the commit is confirmed", () => {
  const h = new Harness();
  const port = h.open("a");
  h.assign();
  assert.deepEqual(port.take("owned").at(-1)?.partitions, [0]);
  assert.equal(h.admit(0, 2), 3);
  assert.deepEqual(
    h.pull("a").map(({ offset }) => offset),
    [0, 1, 2],
  );
  assert.deepEqual(h.pull("a"), []);
  h.ack("a", 0, 1);
  assert.deepEqual(port.take("settled"), []);
  const [commit] = h.commit();
  assert.equal(commit?.offset, 2);
  assert.deepEqual(port.take("settled"), [
    { type: "settled", ranges: [{ partition: 0, first: 0, last: 1 }] },
  ]);
});

test("watermarks are the first unsettled records, or where the fetch is", () => {
  const h = new Harness();
  h.open("a");
  h.assign(0);
  h.assign(1, 7);
  h.admit(0, 4);
  h.pull("a");
  h.ack("a", 0, 1);
  assert.deepEqual(h.dispatch.watermarks(), [
    { partition: 0, watermark: 2 },
    { partition: 1, watermark: 7 },
  ]);
});

test("a lease that ends brings the record back after its delivery is recorded", () => {
  const h = new Harness();
  const port = h.open("a");
  h.assign();
  h.admit(0, 0);
  assert.equal(h.pull("a")[0]?.attempt, 1);
  const before = h.commitsWanted;
  h.advance(2_900);
  assert.deepEqual(port.take("cancel"), []);
  h.advance(200);
  assert.deepEqual(port.take("cancel"), [
    { type: "cancel", reason: "expired", records: [{ partition: 0, offset: 0, attempt: 1 }] },
  ]);
  assert.equal(h.commitsWanted, before + 1);
  assert.deepEqual(h.pull("a"), []);
  h.commit();
  assert.equal(h.pull("a")[0]?.attempt, 2);
});

test("after the last allowed delivery the record is dead, and settled once it is in the dead-letter topic", () => {
  const h = new Harness();
  h.open("a");
  h.assign();
  h.admit(0, 0);
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    const [delivery] = h.pull("a");
    assert.equal(delivery?.attempt, attempt);
    h.receive("a", {
      type: "nack",
      record: delivery ?? { partition: 0, offset: 0, attempt },
      delayMs: 0,
      reason: "no",
    });
    h.commit();
  }
  assert.equal(h.dead.length, 1);
  assert.equal(h.dead[0]?.disposition, "deliveries-exhausted");
  assert.equal(h.dead[0]?.deliveries, 5);
  h.advance(120_000);
  assert.deepEqual(h.pull("a"), []);
  assert.equal(h.dispatch.partitions(h.now)[0]?.watermark, 0);
  h.dispatch.deadLettered(h.now, 0, 0);
  assert.equal(h.commit()[0]?.offset, 1);
});

test("a waiting pull is answered by the first record that becomes ready, an offer is told of it", () => {
  const h = new Harness();
  const waiting = h.open("a");
  const watching = h.open("b");
  h.assign();
  const pull = { type: "pull", maxMessages: 5, maxBytes: 1e6, waitMs: 1_000, offerId: 0 } as const;
  h.receive("a", { ...pull, requestId: 7, wait: "claim" });
  h.receive("b", { ...pull, requestId: 8, wait: "offer" });
  assert.equal(watching.take("deliver")[0]?.records.length, 0);
  h.admit(0, 0);
  assert.equal(waiting.take("deliver")[0]?.requestId, 7);
  h.admit(1, 3);
  const [available] = watching.take("available");
  assert.equal(available?.count, 3);
  assert.deepEqual(h.pull("a"), []);
  h.receive("b", { ...pull, requestId: 9, wait: "offer", offerId: available?.offerId ?? 0 });
  assert.equal(watching.take("deliver")[0]?.records.length, 3);
});

test("whoever was answered empty is told again, though it declined an older offer", () => {
  const h = new Harness();
  const port = h.open("a");
  h.assign();
  const pull = { type: "pull", maxBytes: 1e6, waitMs: 30_000, wait: "offer" } as const;
  h.receive("a", { ...pull, requestId: 1, maxMessages: 10, offerId: 0 });
  h.admit(0, 4);
  const [offer] = port.take("available");
  // Under way when the offer was made, and all that is ready is kept for the offer.
  h.receive("a", { ...pull, requestId: 2, maxMessages: 10, offerId: 0 });
  assert.deepEqual(
    port.take("deliver").map(({ records }) => records.length),
    [0, 0],
  );
  h.admit(5, 5);
  h.receive("a", { ...pull, requestId: 3, maxMessages: 0, offerId: offer?.offerId ?? 0 });
  assert.equal(port.take("available")[0]?.count, 6);
});

test("what is out at a hand-over stays with its holder, who presents it to the new owner", () => {
  const before = new Harness();
  before.open("a");
  before.assign();
  before.admit(0, 9);
  before.pull("a", 5);
  before.ack("a", 1);
  const commit = before.dispatch.surrender(before.now, 0);
  before.ack("a", 0);
  assert.equal(before.port("a").take("error")[0]?.code, "moved");
  before.dispatch.commitConfirmed(before.now, commit);
  assert.deepEqual(before.port("a").take("settled")[0]?.ranges, [
    { partition: 0, first: 1, last: 1 },
  ]);

  const after = new Harness();
  const port = after.open("x");
  after.open("y");
  after.assign(0, commit.offset, commit.metadata);
  after.receive("x", {
    type: "present",
    leaseMs: 0,
    records: [
      { partition: 0, offset: 0, attempt: 1, state: "acked" },
      { partition: 0, offset: 2, attempt: 1, state: "held" },
    ],
  });
  assert.equal(port.take("present")[0]?.records.length, 1);
  after.admit(0, 9);
  assert.deepEqual(
    after.pull("y").map(({ offset }) => offset),
    [5, 6, 7, 8, 9],
  );
  after.ack("x", 2);
  after.ack("y", 5, 9);
  after.advance(3_100);
  after.commit();
  assert.deepEqual(after.pull("y"), [
    { partition: 0, offset: 3, attempt: 2 },
    { partition: 0, offset: 4, attempt: 2 },
  ]);
  assert.deepEqual(
    port.take("settled").flatMap(({ ranges }) => ranges),
    [
      { partition: 0, first: 0, last: 0 },
      { partition: 0, first: 2, last: 2 },
    ],
  );
});
