import assert from "node:assert/strict";
import { test } from "node:test";
import type { PresentedRecord } from "@kafkaproxy/wire";
import { decodeMetadata } from "../ledger/index.ts";
import { Harness } from "./test-harness.ts";
import type { DispatchOptions, PartitionCommit } from "./types.ts";

function present(h: Harness, who: string, ...records: PresentedRecord[]): void {
  h.receive(who, { type: "present", leaseMs: 0, records });
}

/** An owner with ten records: 0 to 4 out to "a", 1 and 3 acked. */
function owner(options: Partial<DispatchOptions> = {}): Harness {
  const h = new Harness(options);
  h.open("a");
  h.assign();
  h.admit(0, 9);
  h.pull("a", 5);
  h.ack("a", 1);
  h.ack("a", 3);
  return h;
}

function successor(
  commit: PartitionCommit | undefined,
  options: Partial<DispatchOptions> = {},
): Harness {
  assert.ok(commit);
  const h = new Harness(options);
  h.open("a");
  h.open("b");
  h.assign(commit.partition, commit.offset, commit.metadata, commit.overflow);
  h.admit(0, 9);
  return h;
}

const offsets = (list: readonly { offset: number }[]): number[] => list.map(({ offset }) => offset);

test("after a hand-over what was out waits one ackTimeout for its holder, the rest goes out at once", () => {
  const h = successor(owner().dispatch.surrender(0, 0));
  assert.deepEqual(offsets(h.pull("b")), [5, 6, 7, 8, 9]);
  h.ack("b", 5, 9);
  h.advance(2_900);
  h.commit();
  assert.deepEqual(h.pull("b"), []);
  h.advance(200);
  h.commit();
  assert.deepEqual(
    h.pull("b").map(({ offset, attempt }) => [offset, attempt]),
    [
      [0, 2],
      [2, 2],
      [4, 2],
    ],
  );
});

test("without hand-over nothing goes out for 500 ms, so that clients can present what they have", () => {
  const before = owner();
  const [commit] = before.commit();
  const h = successor(commit);
  assert.deepEqual(h.pull("b"), []);
  present(h, "a", { partition: 0, offset: 5, attempt: 1, state: "acked" });
  present(h, "a", { partition: 0, offset: 6, attempt: 1, state: "held" });
  h.advance(520);
  assert.deepEqual(offsets(h.pull("b")), [7, 8, 9]);
});

test("in a proxy that nobody is connected to, the wait begins with the first client", () => {
  const [commit] = owner().commit();
  assert.ok(commit);
  const h = new Harness();
  h.assign(0, commit.offset, commit.metadata);
  h.admit(0, 9);
  h.advance(10_000);
  h.open("b");
  h.advance(300);
  h.open("a");
  assert.deepEqual(h.pull("b"), []);
  present(h, "a", { partition: 0, offset: 6, attempt: 1, state: "acked" });
  h.advance(220);
  assert.ok(!offsets(h.pull("b")).includes(6));
  assert.ok(h.dispatch.inFlight > 0, "and no longer than that");
});

test("in a proxy that nobody is connected to, what was out waits for the first client, and then one ackTimeout", () => {
  const { offset, metadata } = owner().dispatch.surrender(0, 0);
  const h = new Harness();
  h.assign(0, offset, metadata);
  h.admit(0, 9);
  h.advance(60_000);
  assert.equal(h.dispatch.inFlight, 0, "nobody is there to answer");
  h.open("b");
  assert.equal(h.dispatch.inFlight, 3);
  assert.deepEqual(offsets(h.pull("b")), [5, 6, 7, 8, 9]);
  h.advance(2_900);
  h.commit();
  assert.deepEqual(h.pull("b"), []);
  h.open("a");
  present(h, "a", { partition: 0, offset: 2, attempt: 1, state: "held" });
  h.advance(200);
  h.commit();
  const again = h.pull("b").map(({ offset: each, attempt }) => [each, attempt]);
  assert.deepEqual(again.slice(0, 2), [
    [0, 2],
    [4, 2],
  ]);
});

test("a fresh group waits for nobody but its first commit", () => {
  const h = new Harness();
  h.open("a");
  h.dispatch.assign(h.now, { partition: 0, watermark: 0, metadata: "" });
  h.admit(0, 0);
  assert.equal(h.commitsWanted, 1, "at once");
  assert.deepEqual(h.pull("a"), []);
  h.commit();
  assert.equal(h.pull("a").length, 1);
});

test("nothing goes out before a commit stands: an owner killed before has delivered nothing that its successor does not wait for", () => {
  const { offset, metadata } = owner().dispatch.surrender(0, 0);
  const takeover = { partition: 0, watermark: offset, metadata };
  const killed = new Harness();
  killed.open("b");
  killed.dispatch.assign(0, takeover);
  killed.admit(0, 9);
  assert.deepEqual(killed.pull("b"), [], "its successor would find the former owner's hand-over");
  const [commit] = killed.dispatch.takeCommits(0);
  assert.ok(commit);
  killed.dispatch.commitFailed(0, commit, false);
  assert.deepEqual(killed.pull("b"), []);
  const [second] = killed.commit();
  assert.deepEqual(offsets(killed.pull("b", 2)), [5, 6]);
  const h = successor(second);
  assert.deepEqual(h.pull("b"), [], "its clients have not been heard");
});

/** A new owner whose commits fail. */
function withoutCommits(): { h: Harness; fails: (refused: boolean) => void } {
  const h = new Harness();
  h.open("a");
  h.dispatch.assign(h.now, { partition: 0, watermark: 0, metadata: "" });
  h.admit(0, 9);
  const fails = (refused: boolean): void => {
    for (const commit of h.dispatch.takeCommits(h.now)) {
      h.dispatch.commitFailed(h.now, commit, refused);
    }
  };
  return { h, fails };
}

test("commits that are refused for good stop no delivery: a new owner begins without after a while", () => {
  const { h, fails } = withoutCommits();
  fails(true);
  h.advance(4_900);
  fails(true);
  assert.deepEqual(h.pull("a"), []);
  h.advance(200);
  fails(true);
  assert.equal(h.pull("a").length, 10);
});

test("commits that nobody answers are waited for", () => {
  const { h, fails } = withoutCommits();
  fails(false);
  h.advance(60_000);
  fails(false);
  assert.deepEqual(h.pull("a"), []);
});

test("a commit that is refused after its partition has gone brings nothing back", () => {
  const { h, fails } = withoutCommits();
  fails(true);
  h.advance(10_000);
  const [commit] = h.dispatch.takeCommits(h.now);
  assert.ok(commit);
  h.dispatch.lose(h.now, 0);
  h.dispatch.commitFailed(h.now, commit, true);
  assert.equal(h.dispatch.ready, 0);
  assert.deepEqual(h.pull("a"), []);
});

test("who waits for clients itself, and gives the partition up, lets its successor wait too", () => {
  const before = new Harness();
  before.open("a");
  before.assign();
  const [commit] = before.commit(true);
  assert.ok(commit);
  before.admit(0, 9);
  assert.deepEqual(offsets(before.pull("a", 5)), [0, 1, 2, 3, 4]); // and is killed
  const short = new Harness();
  short.assign(0, commit.offset, commit.metadata);
  short.admit(0, 9);
  short.advance(100);
  const h = successor(short.dispatch.surrender(short.now, 0));
  assert.deepEqual(h.pull("b"), []);
  present(h, "a", { partition: 0, offset: 0, attempt: 1, state: "acked" });
  h.advance(520);
  assert.equal(offsets(h.pull("b")).includes(0), false);
});

test("a presented record stays with who presents it; another one is refused but may ack late", () => {
  const h = successor(owner().dispatch.surrender(0, 0));
  const held = { partition: 0, offset: 2, attempt: 1, state: "held" } as const;
  present(h, "a", held);
  assert.deepEqual(h.port("a").take("present")[0]?.records, [held]);
  present(h, "b", held);
  assert.equal(h.port("b").take("cancel")[0]?.reason, "stale");
  h.ack("b", 2);
  assert.equal(h.port("a").take("cancel")[0]?.reason, "settled");
});

test("a worker whose session was forgotten presents its ack in the next one: it counts, and the new holder is told", () => {
  const h = new Harness();
  const port = h.open("a");
  const b = h.open("b");
  h.assign();
  h.admit(0, 0);
  h.pull("a");
  h.dispatch.detach(h.now, "a", port);
  h.advance(10_000);
  h.commit();
  assert.equal(h.pull("b").length, 1);
  h.open("a, back");
  present(h, "a, back", { partition: 0, offset: 0, attempt: 1, state: "acked" });
  assert.equal(b.take("cancel")[0]?.reason, "settled");
  assert.equal(h.commit()[0]?.offset, 1);
});

test("what is presented before it is fetched is remembered, and dropped when the log has no such record", () => {
  const before = owner();
  const [commit] = before.commit();
  assert.ok(commit);
  const h = new Harness();
  const a = h.open("a");
  h.assign(0, commit.offset, commit.metadata);
  present(
    h,
    "a",
    { partition: 0, offset: 6, attempt: 1, state: "held" },
    { partition: 0, offset: 8, attempt: 2, state: "held" },
    { partition: 0, offset: 7, attempt: 1, state: "acked" },
  );
  assert.equal(a.take("present")[0]?.records.length, 2);
  h.admit(0, 6);
  h.admit(9, 9);
  assert.deepEqual(a.take("cancel"), [
    { type: "cancel", reason: "settled", records: [{ partition: 0, offset: 8, attempt: 2 }] },
  ]);
  h.ack("a", 6);
  h.advance(520);
  h.open("b");
  assert.deepEqual(offsets(h.pull("b")), [5, 9]);
});

test("a snapshot is valid for its watermark only; a foreign one is ignored with words", () => {
  const [commit] = owner().commit();
  assert.ok(commit);
  const h = new Harness();
  const other = { partition: 0, watermark: commit.offset + 1, metadata: commit.metadata };
  const report = h.dispatch.assign(0, other);
  assert.match(report.warning ?? "", /partition 0 is ignored: its checksum/);
  assert.equal(h.dispatch.counters.snapshotsIgnored, 1);
  const foreign = h.dispatch.assign(0, { partition: 1, watermark: 5, metadata: "consumer-7" });
  assert.match(foreign.warning ?? "", /partition 1 is ignored/);
  assert.equal(foreign.fetchFrom, 5);
});

test("counts go on with the next owner: five deliveries are five, over any number of hand-overs", () => {
  let h = new Harness();
  h.open("a");
  h.assign();
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    h.admit(0, 0);
    h.commit();
    assert.deepEqual(h.pull("a"), [{ partition: 0, offset: 0, attempt }]);
    const commit = h.dispatch.surrender(h.now, 0);
    h = new Harness();
    h.open("a");
    h.assign(0, commit.offset, commit.metadata);
    h.advance(12_000);
  }
  h.admit(0, 0);
  assert.deepEqual(h.pull("a"), []);
  assert.equal(h.dead[0]?.disposition, "deliveries-exhausted");
  assert.equal(h.dead[0]?.deliveries, 5);
});

test("what was rejected and not yet a dead letter is rejected at the next owner too", () => {
  const before = owner();
  const rejected = { partition: 0, offset: 2, attempt: 1 };
  before.receive("a", { type: "reject", record: rejected, reason: "bad" });
  const h = successor(before.dispatch.surrender(0, 0));
  assert.deepEqual(
    h.dead.map(({ record, disposition }) => [record.offset, disposition]),
    [[2, "rejected"]],
  );
});

test("what does not fit the metadata is in the overflow, and nothing is forgotten", () => {
  const before = new Harness();
  before.limitMetadata(64);
  before.open("a");
  before.assign();
  before.admit(0, 199);
  for (let batch = 0; batch < 20; batch += 1) before.pull("a");
  for (let offset = 1; offset < 200; offset += 3) before.ack("a", offset);
  const commit = before.dispatch.surrender(0, 0);
  assert.ok(commit.metadata.length <= 64);
  assert.ok(commit.overflow);
  const h = new Harness();
  h.open("b");
  h.assign(0, commit.offset, commit.metadata, commit.overflow);
  h.admit(0, 199);
  assert.deepEqual(h.pull("b"), []);
  const [status] = h.dispatch.partitions(h.now);
  assert.equal(status?.inFlight, 133);
});

test("a last commit that the broker finds too long is made anew: its overflow has what it leaves out, and no ack is forgotten", () => {
  const before = new Harness();
  const a = before.open("a");
  before.assign();
  before.admit(0, 199);
  for (let batch = 0; batch < 20; batch += 1) before.pull("a");
  for (let offset = 1; offset < 200; offset += 3) before.ack("a", offset);
  const refused = before.dispatch.surrender(0, 0);
  assert.equal(refused.overflow, undefined);
  before.limitMetadata(32);
  const commit = before.dispatch.surrenderAnew(refused);
  assert.ok(commit.metadata.length <= 32);
  before.dispatch.commitConfirmed(0, refused);
  assert.deepEqual(a.take("settled"), [], "it speaks for the one that was refused");
  before.dispatch.commitConfirmed(0, commit);
  assert.ok(a.take("settled").length > 0);
  const h = new Harness();
  h.open("b");
  h.assign(0, commit.offset, commit.metadata, commit.overflow);
  h.admit(0, 199);
  const [status] = h.dispatch.partitions(h.now);
  assert.equal(status?.inFlight, 133);
  assert.equal(status.settledAboveWatermark, 67);
});

test("a hand-over whose overflow can't be read waits for clients, as after a kill: nothing is delivered twice", () => {
  const before = new Harness();
  before.limitMetadata(64);
  before.open("a");
  before.assign();
  before.admit(0, 199);
  for (let batch = 0; batch < 10; batch += 1) before.pull("a");
  for (let offset = 1; offset < 100; offset += 3) before.ack("a", offset);
  const commit = before.dispatch.surrender(0, 0);
  before.dispatch.commitConfirmed(0, commit);
  const told = before
    .port("a")
    .take("settled")
    .flatMap(({ ranges }) => ranges);
  const h = new Harness({ queue: { maxMessages: 1_000, maxBytes: 1e9 } });
  h.open("a");
  h.open("b");
  h.assign(0, commit.offset, commit.metadata);
  h.admit(0, 199);
  assert.deepEqual(h.pull("b"), [], "its clients have not been heard");
  for (let offset = 0; offset < 100; offset += 1) {
    const acked = offset % 3 === 1;
    if (acked && told.some(({ first, last }) => first <= offset && offset <= last)) continue;
    present(h, "a", { partition: 0, offset, attempt: 1, state: acked ? "acked" : "held" });
  }
  h.advance(520);
  assert.deepEqual(offsets(h.pull("b")), [100, 101, 102, 103, 104, 105, 106, 107, 108, 109]);
});

test("as many as a window may hold are out at a hand-over: none of them goes to somebody else", () => {
  const queue = { maxMessages: 100_000, maxBytes: 1e12 };
  const options = { queue, push: { maxCredit: 1e9 } };
  const out = (count: number, limits = options): PartitionCommit => {
    const h = new Harness(limits);
    h.open("a", "push");
    h.assign();
    h.receive("a", { type: "credit", requestId: 1, delta: 1e6 });
    h.admit(0, count - 1);
    return h.dispatch.surrender(h.now, 0);
  };
  const takeOver = ({ offset, metadata, overflow }: PartitionCommit): [Harness, string] => {
    const h = new Harness(options);
    h.open("b");
    const takeover = { partition: 0, watermark: offset, metadata, overflow };
    return [h, h.dispatch.assign(h.now, takeover).warning ?? ""];
  };
  const [h, warning] = takeOver(out(100_000));
  assert.equal(warning, "");
  h.admit(0, 100_000);
  assert.deepEqual(h.pull("b"), []);
  // No configuration allows more; if it comes to that all the same, it is said, and clients are heard first.
  const more = { ...options, queue: { ...queue, maxMessages: 1e6 } };
  const [beyond, words] = takeOver(out(100_001, more));
  assert.match(words, /More records of partition 0 are out/);
  beyond.admit(100_000, 100_000);
  assert.deepEqual(beyond.pull("b"), []);
});

test("a long settled run right above a stuck record can be skipped by the fetch", () => {
  const before = new Harness({ queue: { maxMessages: 100_000, maxBytes: 1e9 } });
  before.open("a", "push");
  before.assign();
  before.receive("a", { type: "credit", requestId: 1, delta: 1_000 });
  before.admit(0, 499);
  before.ack("a", 1, 499);
  const [commit] = before.commit();
  assert.ok(commit);
  const h = new Harness();
  h.assign(0, commit.offset, commit.metadata);
  assert.equal(h.dispatch.nextWanted(0), 0);
  h.admit(0, 0);
  assert.equal(h.dispatch.nextWanted(0), 500);
  assert.equal(h.dispatch.nextWanted(9), undefined);
});

test("a count that is recorded keeps its place when its former holder presents the record", () => {
  const before = owner();
  before.receive("a", {
    type: "nack",
    record: { partition: 0, offset: 2, attempt: 1 },
    delayMs: 60_000,
    reason: "",
  });
  const h = successor(before.dispatch.surrender(0, 0));
  present(h, "a", { partition: 0, offset: 2, attempt: 1, state: "held" });
  assert.equal(h.port("a").take("present").length, 1);
  const [commit] = h.commit();
  assert.ok(commit);
  const decoded = decodeMetadata(commit.offset, commit.metadata);
  assert.ok("snapshot" in decoded);
  assert.deepEqual(decoded.snapshot.counts, [{ offset: 2, deliveries: 1, out: true }]);
});
