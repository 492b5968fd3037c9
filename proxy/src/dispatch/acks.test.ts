import assert from "node:assert/strict";
import { test } from "node:test";
import { Harness } from "./test-harness.ts";

test("a late ack counts: it settles the record, and whoever holds it now is told", () => {
  const h = new Harness();
  h.open("a");
  const b = h.open("b");
  h.assign();
  h.admit(0, 0);
  h.pull("a");
  h.advance(3_100);
  h.commit();
  assert.deepEqual(h.pull("b"), [{ partition: 0, offset: 0, attempt: 2 }]);
  h.ack("a", 0);
  assert.deepEqual(b.take("cancel"), [
    { type: "cancel", reason: "settled", records: [{ partition: 0, offset: 0, attempt: 2 }] },
  ]);
  assert.equal(h.dispatch.counters.lateAcks, 1);
  assert.equal(h.commit()[0]?.offset, 1);
  h.ack("b", 0);
  assert.equal(b.take("settled").length, 1, "durable already: answered at once");
});

test("a late ack of a record on its way to the dead-letter topic settles it: it is dying no more", () => {
  const h = new Harness({ maxDeliveries: 1 });
  h.open("a");
  h.assign();
  h.admit(0, 1);
  h.pull("a");
  h.advance(3_100);
  const [first, second] = h.dead;
  assert.ok(first && second);
  h.ack("a", 0);
  assert.equal(h.dispatch.isDying(first), false);
  assert.equal(h.dispatch.isDying(second), true);
  // The same offset of a topic made anew is another record.
  h.dispatch.reset(h.now, 0, 1);
  h.admit(1, 1);
  h.pull("a");
  h.advance(3_100);
  assert.equal(h.dead.length, 3);
  assert.equal(h.dispatch.isDying(second), false);
});

test("a session that never held a record cannot ack it; the rest of its range counts", () => {
  const h = new Harness();
  const a = h.open("a");
  h.open("b");
  h.assign();
  h.admit(0, 4);
  h.pull("a", 2);
  h.pull("b", 1);
  h.pull("a", 2);
  h.ack("a", 0, 4);
  assert.deepEqual(a.take("error"), [
    {
      type: "error",
      code: "not-held",
      message: "This session never held these records.",
      records: [{ partition: 0, offset: 2, attempt: 1 }],
    },
  ]);
  assert.equal(h.commit()[0]?.offset, 2);
  assert.deepEqual(a.take("settled"), [
    {
      type: "settled",
      ranges: [
        { partition: 0, first: 0, last: 1 },
        { partition: 0, first: 3, last: 4 },
      ],
    },
  ]);
});

test("an absurd range costs no more than the window, and a moved one names a bounded number", () => {
  const h = new Harness();
  const a = h.open("a");
  h.assign();
  h.admit(0, 9);
  h.pull("a");
  h.ack("a", 0, 2 ** 53 - 2);
  assert.equal(h.commit()[0]?.offset, 10);
  assert.equal(a.take("error")[0]?.code, "not-held");
  h.ack("a", 0, 2 ** 53 - 2, 5);
  assert.equal(a.take("error")[0]?.records.length, 1_000);
});

test("gaps count as settled", () => {
  const h = new Harness();
  h.open("a");
  h.assign();
  h.admit(3, 3);
  h.admit(10, 10);
  h.pull("a");
  h.ack("a", 3);
  assert.equal(h.commit()[0]?.offset, 10);
  h.ack("a", 10);
  h.dispatch.admit(h.now, 0, [], 20);
  assert.equal(h.commit()[0]?.offset, 20);
});
