import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { KafkaConnection, KafkaError } from "@kafkaproxy/kafka";
import { type KafkaCluster, startKafka } from "../../../test/servers/index.ts";
import { TakeoverReader } from "./takeover-reader.ts";
import {
  MemoryBirth,
  MemoryHandover,
  startMember,
  type TestMember,
  type TestMemberOptions,
  until,
} from "./test-member.ts";

let kafka: KafkaCluster;
before(async () => {
  kafka = await startKafka();
});
after(async () => {
  await kafka.stop();
});

function values(count: number, partitions: number): { partition: number; value: string }[] {
  return Array.from({ length: count }, (_, index) => ({
    partition: index % partitions,
    value: `value ${index}`,
  }));
}

function member(topic: string, options: Partial<TestMemberOptions> = {}): TestMember {
  return startMember({
    bootstrapServers: kafka.bootstrapServers,
    topic,
    group: `${topic}-group`,
    ...options,
  });
}

test("records are delivered, acked, committed, and said to be settled; nothing is left at the end", async () => {
  await kafka.createTopic("simple", { partitions: 3 });
  await kafka.produce("simple", values(3_000, 3));
  const one = member("simple");
  await until("all settled", () => one.settled.size === 3_000);
  assert.equal(one.delivered.length, 3_000);
  await one.close();
  assert.equal(await kafka.lag("simple-group", "simple"), 0);
  assert.deepEqual(await kafka.groupMembers("simple-group"), []);
});

test("a window that is full pauses its partition alone, and the rest comes when there is room", async () => {
  await kafka.createTopic("full", { partitions: 2 });
  await kafka.produce("full", values(4_000, 2));
  let open = false;
  const one = member("full", {
    queue: { maxMessages: 200, maxBytes: 128 << 20 },
    acks: (partition) => partition === 0 || open,
  });
  const of = (partition: number): number =>
    one.delivered.filter((id) => id.startsWith(`${partition}:`)).length;
  await until("partition 0 is through", () => one.settled.size === 2_000);
  assert.ok(of(1) <= 500, `${of(1)} deliveries of the stopped partition`);
  open = true;
  await until("partition 1 is through", () => one.settled.size === 4_000);
  await one.close();
  assert.equal(await kafka.lag("full-group", "full"), 0);
});

test("a second proxy joins and leaves under load: nothing lost, nothing twice that was acked in time", async () => {
  await kafka.createTopic("moving", { partitions: 4 });
  const shared = { replicas: 2, handover: new MemoryHandover() };
  const first = member("moving", shared);
  await until("the first has all", () => first.owned.size === 4);
  let produced = 0;
  const produce = async (count: number): Promise<void> => {
    await kafka.produce("moving", values(count, 4));
    produced += count;
  };
  await produce(2_000);
  const second = member("moving", { ...shared, ordinal: 1 });
  await produce(2_000);
  await until("shared", () => first.owned.size === 2 && second.owned.size === 2);
  const taken = second.claims.findLast(({ partitions }) => partitions.length > 0);
  assert.ok(taken);
  const before = first.claims.filter(({ partitions }) =>
    partitions.some((partition) => taken.partitions.includes(partition)),
  );
  assert.ok(before.length > 0);
  assert.ok(
    before.every(({ generation }) => generation < taken.generation),
    "who has a partition later claims it under a later generation",
  );
  await produce(2_000);
  await until("the second works", () => second.delivered.length > 500);
  await second.close();
  await produce(2_000);
  await until("the first has all again", () => first.owned.size === 4);
  const generations = first.claims.map(({ generation }) => generation);
  assert.ok(taken.generation < Math.max(...generations));
  assert.deepEqual(
    generations,
    generations.toSorted((a, b) => a - b),
  );
  await until("all settled", () => first.settled.size + second.settled.size >= produced);
  await first.close();
  const all = [...first.delivered, ...second.delivered];
  assert.equal(new Set(all).size, produced);
  const twice = all.filter((id, index) => all.indexOf(id) !== index);
  const late = new Set([...first.moved, ...second.moved]);
  assert.deepEqual(
    twice.filter((id) => !late.has(id)),
    [],
  );
  assert.equal(await kafka.lag("moving-group", "moving"), 0);
});

test("offsetReset: latest begins at the end and is committed at once; a partition added later begins at its first record", async () => {
  await kafka.createTopic("late", { partitions: 2 });
  await kafka.produce("late", values(100, 2));
  const one = member("late", { offsetReset: "latest" });
  await until("owned", () => one.owned.size === 2);
  const committed = await kafka.committed("late-group", "late");
  assert.deepEqual(
    [...committed.values()].map(({ offset }) => offset),
    [50, 50],
  );
  await kafka.produce("late", [{ partition: 1, value: "new" }]);
  await until("the new one", () => one.delivered.length === 1);
  await kafka.addPartitions("late", 3);
  await kafka.produce("late", [{ partition: 2, value: "first" }]);
  await until("the added partition's first", () => one.delivered.includes("2:0"));
  assert.deepEqual(one.delivered.sort(), ["1:50", "2:0"]);
  await one.close();
});

test("an initial position that is refused by itself holds up its own partition alone", async () => {
  await kafka.createTopic("refused", { partitions: 3 });
  const logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
  };
  const connection = new KafkaConnection({ bootstrapServers: kafka.bootstrapServers, logger });
  const refusal = new KafkaError("topic-not-found", "not known there yet");
  const reader = new TakeoverReader({
    connection,
    topic: "refused",
    consumerGroup: "refused-group",
    offsetReset: "earliest",
    handover: new MemoryHandover(),
    births: new MemoryBirth(),
    commit: async () => await Promise.resolve(new Map([[1, refusal]])),
    logger,
  });
  const read = await reader.read([0, 1, 2], { memberId: "", generation: -1 });
  await connection.close();
  assert.deepEqual(
    read.takeovers.map(({ partition }) => partition),
    [0, 2],
  );
  assert.equal(read.refusal, refusal, "asked again while it is ours");
});

test("offsetReset: fail says what to do", async () => {
  await kafka.createTopic("fail", { partitions: 1 });
  const one = member("fail", { offsetReset: "fail" });
  await until("failed", () => one.failures.length === 1);
  assert.match(one.failures[0]?.message ?? "", /offsetReset/);
  assert.equal(one.source.state, "failed");
  await one.close();
});

test("below the log's start: goes on there and says how many are gone", async () => {
  await kafka.createTopic("expired", { partitions: 1 });
  await kafka.produce("expired", values(100, 1));
  const first = member("expired", { acks: (_partition, offset) => offset < 10 });
  await until("ten settled", () => first.settled.size === 10);
  await first.close();
  await kafka.deleteRecords("expired", 0, 60);
  const second = member("expired");
  await until("the rest", () => second.settled.size === 40);
  assert.ok(second.words.some((line) => line.includes("expired before they were read")));
  assert.deepEqual(second.expired, [50]);
  assert.ok(second.delivered.every((id) => Number(id.split(":")[1]) >= 60));
  await second.close();
  assert.equal(await kafka.lag("expired-group", "expired"), 0);
});

test("a topic made anew: said loudly, goes on at its end, and takes what comes", async () => {
  await kafka.createTopic("anew", { partitions: 1 });
  await kafka.produce("anew", values(100, 1));
  const one = member("anew");
  await until("settled", () => one.settled.size === 100);
  await kafka.deleteTopic("anew");
  await kafka.createTopic("anew", { partitions: 1 });
  await until("noticed", async () => {
    await kafka.produce("anew", [{ partition: 0, value: "again" }]);
    await delay(200);
    return one.delivered.length > 100;
  });
  await one.close();
});

test("Kafka frozen: the fence closes before the session ends, and opens when Kafka answers again", async () => {
  await kafka.createTopic("frozen", { partitions: 1 });
  await kafka.produce("frozen", values(10, 1));
  const one = member("frozen");
  await until("settled", () => one.settled.size === 10);
  const [broker] = kafka.brokers;
  assert.ok(broker);
  broker.freeze();
  const frozenAt = performance.now();
  await until("fenced", () => one.fence.reason === "no-heartbeat");
  assert.ok(performance.now() - frozenAt < 5_900, "before the session's end");
  broker.thaw();
  await until("open", () => one.fence.reason === undefined);
  await kafka.produce("frozen", values(10, 1));
  await until("goes on", () => one.settled.size === 20);
  await one.close();
});
