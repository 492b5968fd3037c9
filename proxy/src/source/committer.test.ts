import assert from "node:assert/strict";
import { test } from "node:test";
import { KafkaError, type MemberIdentity, type RefusedOffsets } from "@kafkaproxy/kafka";
import type { PartitionCommit } from "../dispatch/index.ts";
import { Committer } from "./committer.ts";

const member = (generation: number): MemberIdentity => ({ memberId: "m", generation });
/** Each in a partition of its own, of the same number. */
const commit = (offset: number, chars = 0): PartitionCommit => ({
  partition: offset,
  offset,
  metadata: "x".repeat(chars),
});
const tooLong = new KafkaError("metadata-too-large", "12");
const allTaken: RefusedOffsets = new Map();

interface Sent {
  readonly offsets: number[];
  /** Lengths of their metadata. */
  readonly chars: number[];
  readonly generation: number;
  readonly done: PromiseWithResolvers<RefusedOffsets>;
}

/** Every commit would have `chars` of metadata, were there room. */
function setup(
  intervalMs: number,
  chars = 0,
): {
  committer: Committer;
  sent: Sent[];
  told: string[];
  left: PartitionCommit[];
  words: string[];
  give: (...offsets: number[]) => void;
} {
  const sent: Sent[] = [];
  const told: string[] = [];
  const left: PartitionCommit[] = [];
  const words: string[] = [];
  const say = (fields: object, message: string): void => {
    const { before, after } = fields as { before?: number; after?: number };
    words.push(before === undefined ? message : `${before} ${after} ${message}`);
  };
  let next: PartitionCommit[] = [];
  let room = 4_096;
  const committer = new Committer({
    dispatch: {
      takeCommits: () => next.splice(0).map(({ offset }) => commit(offset, Math.min(chars, room))),
      surrenderAnew: ({ offset }) => commit(offset, Math.min(chars, room)),
      shortenMetadata: ([refused]) => {
        if (refused === undefined || refused.metadata.length <= 1_024) return undefined;
        const before = room;
        if (room >= refused.metadata.length) room /= 2;
        return { before, after: room };
      },
      commitConfirmed: (_now, { offset }) => void told.push(`confirmed ${offset}`),
      commitFailed: (_now, failed, refused) => {
        told.push(`${refused ? "refused" : "failed"} ${failed.offset}`);
        next = [failed, ...next];
      },
    },
    send: async (commits, identity) => {
      const done = Promise.withResolvers<RefusedOffsets>();
      sent.push({
        offsets: commits.map(({ offset }) => offset),
        chars: commits.map(({ metadata }) => metadata.length),
        generation: identity.generation,
        done,
      });
      return await done.promise;
    },
    leave: async (last) => {
      left.push(last);
      return await Promise.resolve();
    },
    intervalMs,
    fenced: () => void told.push("fenced"),
    now: () => performance.now(),
    logger: { debug: () => undefined, info: say, warn: say, error: say },
  });
  committer.identity = member(1);
  committer.start();
  const give = (...offsets: number[]): void => {
    next.push(...offsets.map((offset) => commit(offset)));
  };
  return { committer, sent, told, left, words, give };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, "nothing happened in 30 s");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** What was answered has had its consequences. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test("one commit in flight; what is wanted meanwhile goes right after it, all in one", async () => {
  const { committer, sent, told, give } = setup(60_000);
  give(1);
  committer.soon();
  await until(() => sent.length === 1);
  give(2);
  committer.soon();
  give(3);
  committer.soon();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(sent.length, 1);
  sent[0]?.done.resolve(allTaken);
  await until(() => sent.length === 2);
  assert.deepEqual(sent[1]?.offsets, [2, 3]);
  sent[1]?.done.resolve(allTaken);
  await until(() => told.length === 3);
  assert.deepEqual(told, ["confirmed 1", "confirmed 2", "confirmed 3"]);
  await committer.stop();
});

test("the interval commits without being asked", async () => {
  const { committer, sent, give } = setup(10);
  give(7);
  await until(() => sent.length === 1);
  sent[0]?.done.resolve(allTaken);
  give(8);
  await until(() => sent.length === 2);
  sent[1]?.done.resolve(allTaken);
  await committer.stop();
});

test("what failed is taken anew, under the identity of then", async () => {
  const { committer, sent, told, give } = setup(60_000);
  give(1);
  committer.soon();
  await until(() => sent.length === 1);
  committer.identity = member(2);
  sent[0]?.done.reject(new KafkaError("fenced", "illegal generation"));
  await until(() => sent.length === 2);
  assert.deepEqual([sent[0]?.generation, sent[1]?.generation], [1, 2]);
  assert.deepEqual(told, ["failed 1"], "the generation that ended says nothing about the next");
  sent[1]?.done.reject(new KafkaError("fenced", "unknown member"));
  await until(() => told.includes("fenced"));
  const stopped = committer.stop();
  for (const { done } of sent) done.resolve(allTaken);
  await stopped;
});

test("what is refused by itself is tried again and holds up no other", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { committer, sent, told, give } = setup(60_000);
  const refused = new Map([[2, new KafkaError("topic-not-found", "not here")]]);
  give(1, 2, 3);
  committer.soon();
  t.mock.timers.tick(1);
  sent[0]?.done.resolve(refused);
  await settle();
  assert.deepEqual(told, ["confirmed 1", "confirmed 3", "refused 2"]);
  give(4);
  committer.soon();
  t.mock.timers.tick(1);
  assert.deepEqual(sent[1]?.offsets, [2, 4], "it goes along with what is wanted at once");
  sent[1].done.resolve(refused);
  await settle();
  t.mock.timers.tick(150);
  assert.equal(sent.length, 2, "by itself it waits");
  t.mock.timers.tick(100);
  assert.deepEqual(sent[2]?.offsets, [2]);
  sent[2].done.resolve(allTaken);
  await committer.stop();
  assert.equal(told.at(-1), "confirmed 2");
});

test("a last commit that is refused by itself is tried again alone, until it is refused for good", async () => {
  const { committer, sent, told } = setup(60_000);
  const handed = committer.handOver(
    [commit(1), commit(2), commit(3)],
    member(1),
    performance.now() + 600_000,
  );
  await until(() => sent.length === 1);
  const refusals = [
    [1, new KafkaError("not-authorized", "no right")],
    [3, new KafkaError("topic-not-found", "not yet", { retriable: true })],
  ] as const;
  sent[0]?.done.resolve(new Map(refusals));
  await until(() => sent.length === 2);
  assert.deepEqual(sent[1]?.offsets, [3]);
  sent[1]?.done.resolve(allTaken);
  assert.equal(await handed, false);
  assert.deepEqual(told, ["confirmed 2", "refused 1", "confirmed 3"]);
  await committer.stop();
});

test("what the broker finds too long goes again at once, shorter; the others count, and it is said with both sizes", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { committer, sent, told, words, give } = setup(60_000, 3_000);
  give(1, 2);
  committer.soon();
  t.mock.timers.tick(1);
  assert.deepEqual(sent[0]?.chars, [3_000, 3_000]);
  sent[0].done.resolve(new Map([[2, tooLong]]));
  await settle();
  assert.deepEqual(told, ["confirmed 1", "refused 2"]);
  t.mock.timers.tick(1);
  assert.deepEqual([sent[1]?.offsets, sent[1]?.chars], [[2], [2_048]]);
  sent[1]?.done.resolve(new Map([[2, tooLong]]));
  await settle();
  t.mock.timers.tick(1);
  assert.deepEqual(sent[2]?.chars, [1_024]);
  assert.deepEqual(
    words.map((line) => /^\d+ \d+ .*offset\.metadata\.max\.bytes/u.exec(line)?.[0].slice(0, 9)),
    ["4096 2048", "2048 1024"],
  );
  sent[2].done.resolve(new Map([[2, tooLong]]));
  await settle();
  t.mock.timers.tick(1);
  assert.equal(sent.length, 3, "nothing more to leave out: a failure like any other");
  assert.equal(words.at(-1), "commit failed, trying on");
  t.mock.timers.tick(100);
  sent[3]?.done.resolve(allTaken);
  await committer.stop();
  assert.equal(told.at(-1), "confirmed 2");
});

test("a last commit that the broker finds too long goes again shorter, once what it leaves out is with the next owner", async () => {
  const { committer, sent, told, left } = setup(60_000, 3_000);
  const commits = [commit(1, 10), commit(2, 3_000)];
  const handed = committer.handOver(commits, member(1), performance.now() + 600_000);
  await until(() => sent.length === 1);
  assert.deepEqual(left, commits);
  sent[0]?.done.resolve(new Map([[2, tooLong]]));
  await until(() => sent.length === 2);
  assert.deepEqual([sent[1]?.offsets, sent[1]?.chars], [[2], [2_048]]);
  assert.deepEqual(left.slice(2), [commit(2, 2_048)]);
  sent[1]?.done.resolve(allTaken);
  assert.equal(await handed, true);
  assert.deepEqual(told, ["confirmed 1", "confirmed 2"]);
  await committer.stop();
});

test("no member, no commit", async () => {
  const { committer, sent, give } = setup(5);
  committer.identity = undefined;
  give(1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(sent.length, 0);
  committer.identity = member(1);
  await until(() => sent.length === 1);
  sent[0]?.done.resolve(allTaken);
  await committer.stop();
});

test("the last commit waits for the one in flight, retries, and says how it ended", async () => {
  const { committer, sent, told, give } = setup(60_000);
  give(1);
  committer.soon();
  await until(() => sent.length === 1);
  const handed = committer.handOver([commit(5)], member(2), performance.now() + 30_000);
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(sent.length, 1);
  sent[0]?.done.resolve(allTaken);
  await until(() => sent.length === 2);
  sent[1]?.done.reject(new KafkaError("timeout", "no answer"));
  await until(() => sent.length === 3);
  sent[2]?.done.resolve(allTaken);
  assert.equal(await handed, true);
  assert.deepEqual(told, ["confirmed 1", "confirmed 5"]);
  const refused = committer.handOver([commit(6)], member(2), performance.now() + 30_000);
  await until(() => sent.length === 4);
  sent[3]?.done.reject(new KafkaError("fenced", "unknown member"));
  assert.equal(await refused, false);
  assert.equal(told.at(-1), "failed 6");
  await committer.stop();
});
