import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeMetadata } from "../ledger/index.ts";
import { Harness } from "./test-harness.ts";

test("an ack is answered by the commit that holds it, not by one taken before it", () => {
  const h = new Harness();
  const a = h.open("a");
  h.assign();
  h.admit(0, 5);
  h.pull("a");
  const early = h.dispatch.takeCommits(h.now);
  h.ack("a", 3);
  assert.deepEqual(h.dispatch.takeCommits(h.now), [], "one take at a time");
  for (const commit of early) h.dispatch.commitConfirmed(h.now, commit);
  assert.deepEqual(a.take("settled"), []);
  h.commit();
  assert.deepEqual(a.take("settled"), [
    { type: "settled", ranges: [{ partition: 0, first: 3, last: 3 }] },
  ]);
});

test("a failed commit gives its acks to the next one", () => {
  const h = new Harness();
  const a = h.open("a");
  h.assign();
  h.admit(0, 1);
  h.pull("a");
  h.ack("a", 0);
  for (const commit of h.dispatch.takeCommits(h.now)) h.dispatch.commitFailed(h.now, commit, false);
  h.ack("a", 1);
  h.commit();
  assert.deepEqual(a.take("settled"), [
    { type: "settled", ranges: [{ partition: 0, first: 0, last: 1 }] },
  ]);
});

test("a commit confirmed after its partition came back says nothing about the new time", () => {
  const h = new Harness();
  const a = h.open("a");
  h.assign();
  h.admit(0, 4);
  h.pull("a");
  h.ack("a", 0, 1);
  const [open] = h.dispatch.takeCommits(h.now);
  assert.ok(open);
  h.dispatch.lose(h.now, 0);
  h.assign(0, 0);
  h.dispatch.commitConfirmed(h.now, open);
  assert.deepEqual(a.take("settled"), [
    { type: "settled", ranges: [{ partition: 0, first: 0, last: 1 }] },
  ]);
  assert.equal(h.dispatch.partitions(h.now)[0]?.committed, 0);
  h.dispatch.commitFailed(h.now, open, false);
  h.admit(0, 4);
  assert.equal(h.commit(true)[0]?.offset, 0);
});

test("an ack sent while its partition was away and back still counts", () => {
  const h = new Harness();
  const a = h.open("a");
  h.assign();
  h.admit(0, 0);
  h.pull("a");
  h.dispatch.lose(h.now, 0);
  h.assign();
  h.admit(0, 0);
  h.ack("a", 0);
  assert.deepEqual(a.take("error"), []);
  assert.equal(h.commit()[0]?.offset, 1);
});

test("the last commit answers the acks that it holds, and those of an earlier one still open", () => {
  const h = new Harness();
  const a = h.open("a");
  h.assign();
  h.admit(0, 9);
  h.pull("a");
  h.ack("a", 2);
  const [open] = h.dispatch.takeCommits(h.now);
  h.ack("a", 4);
  const last = h.dispatch.surrender(h.now, 0);
  assert.deepEqual(a.take("owned").at(-1)?.partitions, []);
  assert.ok(open);
  h.dispatch.commitFailed(h.now, open, false);
  h.dispatch.commitConfirmed(h.now, last);
  assert.deepEqual(
    a.take("settled").flatMap(({ ranges }) => ranges.map(({ first }) => first)),
    [2, 4],
  );
  assert.equal(h.dispatch.inFlight, 0);
});

test("commitWanted is said once until the next take", () => {
  const h = new Harness({ commitBatchSize: 10 });
  h.open("a");
  h.assign();
  h.commit();
  const before = h.commitsWanted;
  h.admit(0, 99);
  for (let offset = 0; offset < 100; offset += 1) {
    h.pull("a", 1);
    h.ack("a", offset);
  }
  assert.equal(h.commitsWanted, before + 1);
  h.commit();
  assert.equal(h.dispatch.takeCommits(h.now).length, 0, "nothing new to say");
  assert.equal(h.dispatch.takeCommits(h.now, true).length, 1);
});

test("counts that do not fit wait for room; near ones go on, and a recorded count never loses its place", () => {
  const h = new Harness({ maxDeliveries: 3 });
  h.limitMetadata(64);
  h.open("a");
  h.assign();
  h.admit(0, 99);
  for (;;) {
    const batch = h.pull("a");
    if (batch.length === 0) break;
    for (const delivery of batch) {
      h.receive("a", { type: "nack", record: delivery, delayMs: 0, reason: "" });
    }
  }
  h.commit();
  const again = h.pull("a", 10).map(({ offset }) => offset);
  assert.deepEqual(again, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  h.ack("a", 0, 9);
  let settled = 10;
  for (let round = 0; round < 100 && settled < 100; round += 1) {
    h.commit();
    for (const { offset, attempt } of h.pull("a")) {
      assert.equal(attempt, 2);
      h.ack("a", offset);
      settled += 1;
    }
  }
  assert.equal(settled, 100);
});

test("a broker that takes less than it did: a count that loses its place has its redelivery wait for one", () => {
  const h = new Harness({ maxDeliveries: 3 });
  h.open("a");
  h.assign();
  h.admit(0, 99);
  for (let batch = h.pull("a"); batch.length > 0; batch = h.pull("a")) {
    for (const record of batch) {
      h.receive("a", { type: "nack", record, delayMs: 0, reason: "" });
    }
  }
  h.commit();
  assert.equal(h.dispatch.ready, 100);
  h.limitMetadata(64);
  const [commit] = h.commit(true);
  assert.ok(commit);
  const decoded = decodeMetadata(commit.offset, commit.metadata);
  assert.ok("snapshot" in decoded);
  const places = decoded.snapshot.counts.length;
  assert.ok(places > 0 && places < 20, `${places} places`);
  assert.equal(h.dispatch.ready, places);
  let settled = 0;
  for (let round = 0; round < 100 && settled < 100; round += 1) {
    for (const { offset, attempt } of h.pull("a")) {
      assert.equal(attempt, 2);
      h.ack("a", offset);
      settled += 1;
    }
    h.commit();
  }
  assert.equal(settled, 100);
});

test("metadata that a broker refuses is made by halves shorter, down to what redeliveries need", () => {
  const h = new Harness();
  h.open("a");
  h.assign();
  h.admit(0, 999);
  for (let batch = h.pull("a"); batch.length > 0; batch = h.pull("a")) {
    for (const { offset } of batch) if (offset % 2 === 1) h.ack("a", offset);
  }
  const lengths: number[] = [];
  for (;;) {
    const commits = h.dispatch.takeCommits(h.now, true);
    lengths.push(commits[0]?.metadata.length ?? 0);
    const limits = h.dispatch.shortenMetadata(commits);
    for (const commit of commits) h.dispatch.commitFailed(h.now, commit, false);
    if (limits === undefined) break;
    assert.ok(limits.after < (lengths.at(-1) ?? 0));
  }
  assert.ok((lengths.at(-1) ?? 0) <= 32);
  assert.deepEqual(
    lengths,
    lengths.toSorted((a, b) => b - a),
  );
  h.ack("a", 0, 998);
  assert.equal(h.commit()[0]?.offset, 1_000);
});

/** Records 0 to 1,499 rejected, to be dead letters that nobody takes; 1,500 to 1,999 refused once. */
function ownerWithoutDeadLetterTopic(): Harness {
  const h = new Harness({ queue: { maxMessages: 100_000, maxBytes: 1e9 } });
  h.open("a");
  h.assign();
  h.admit(0, 1_999);
  for (let batch = h.pull("a"); batch.length > 0; batch = h.pull("a")) {
    for (const record of batch) {
      if (record.offset < 1_500) h.receive("a", { type: "reject", record, reason: "" });
      else h.receive("a", { type: "nack", record, delayMs: 0, reason: "" });
    }
  }
  return h;
}

test("records that wait for the dead-letter topic take no places from redeliveries", () => {
  const h = ownerWithoutDeadLetterTopic();
  h.commit();
  const [status] = h.dispatch.partitions(h.now);
  assert.equal(status?.dying, 1_500);
  assert.equal(status?.ready, 500);
  assert.deepEqual(h.pull("a", 1), [{ partition: 0, offset: 1_500, attempt: 2 }]);
});

test("what waits for the dead-letter topic is dead for the next owner too, with its deliveries and its reason", () => {
  const before = ownerWithoutDeadLetterTopic();
  before.commit();
  const again = before.pull("a", 1)[0];
  assert.ok(again);
  before.receive("a", { type: "reject", record: again, reason: "" });
  const [commit] = before.commit();
  assert.ok(commit);
  const h = new Harness({ queue: { maxMessages: 100_000, maxBytes: 1e9 } });
  h.assign(0, commit.offset, commit.metadata);
  // Before they are fetched they are in its own commits as they were in the former owner's.
  assert.equal(h.commit(true)[0]?.metadata, commit.metadata);
  h.admit(0, 1_999);
  assert.equal(h.dead.length, 1_501);
  assert.ok(h.dead.every(({ disposition }) => disposition === "rejected"));
  assert.deepEqual(
    h.dead.slice(-2).map(({ record, deliveries }) => [record.offset, deliveries]),
    [
      [1_499, 1],
      [1_500, 2],
    ],
  );
});

test("what the log has lost is counted once, and what is in memory goes on", () => {
  const before = new Harness();
  before.open("a");
  before.assign();
  before.admit(0, 29);
  before.pull("a");
  before.pull("a");
  before.ack("a", 12, 16);
  const { offset, metadata } = before.dispatch.surrender(0, 0);
  const h = new Harness();
  const a = h.open("a");
  h.assign(0, offset, metadata);
  h.admit(0, 9);
  const present = { partition: 0, offset: 2, attempt: 1, state: "held" } as const;
  h.receive("a", { type: "present", leaseMs: 0, records: [present] });
  assert.equal(h.dispatch.expire(h.now, 0, 25), 10, "10 and 11, 17 to 24");
  assert.equal(h.dispatch.expire(h.now, 0, 25), 0);
  assert.deepEqual(a.take("cancel"), []);
  assert.deepEqual(h.dispatch.watermarks(), [{ partition: 0, watermark: 0 }]);
  h.advance(3_100);
  h.commit();
  assert.deepEqual(
    h.pull("a").map(({ offset: each }) => each),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  h.ack("a", 0, 9);
  assert.equal(h.commit()[0]?.offset, 25);
});

test("a reset drops the window, frees its holders, and goes on at the given offset", () => {
  const h = new Harness();
  const a = h.open("a");
  h.assign(0, 100);
  h.admit(100, 109);
  h.pull("a", 5);
  h.ack("a", 101);
  h.dispatch.reset(h.now, 0, 40);
  assert.equal(a.take("cancel").flatMap(({ records }) => records).length, 4);
  assert.equal(a.take("settled").length, 1);
  assert.equal(h.dispatch.inFlight, 0);
  h.admit(40, 41);
  assert.deepEqual(
    h.pull("a").map(({ offset }) => offset),
    [40, 41],
  );
  assert.equal(h.commit()[0]?.offset, 40);
});
