import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { KafkaConnection, type Logger } from "@kafkaproxy/kafka";
import { encodeHeaders, groupPath } from "@kafkaproxy/wire";
import { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import {
  type KafkaCluster,
  startKafka,
  startZooKeeper,
  type ZooKeeperServer,
} from "../../../test/servers/index.ts";
import type { DeadRecord } from "../dispatch/index.ts";
import { DeadLetters } from "./dead-letters.ts";
import { LetterIndex } from "./letter-index.ts";

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

let kafka: KafkaCluster;
let zookeeper: ZooKeeperServer;
before(async () => {
  [kafka, zookeeper] = await Promise.all([startKafka(), startZooKeeper()]);
});
after(async () => {
  await Promise.all([kafka.stop(), zookeeper.stop()]);
});

interface Office {
  readonly letters: DeadLetters;
  readonly index: LetterIndex;
  /** Source offsets that were said to be durable. */
  readonly written: number[];
  close(): Promise<void>;
}

async function office(
  topic: string,
  options: { group?: string; maxEntries?: number } = {},
): Promise<Office> {
  const settings = { bootstrapServers: kafka.bootstrapServers, logger: silent };
  const connection = new KafkaConnection(settings);
  await connection.connect();
  const session = new ZooKeeperSession({ servers: zookeeper.connectString, logger: silent });
  session.start();
  await session.connected();
  const target = { topic, consumerGroup: options.group ?? "billing" };
  const written: number[] = [];
  const letters = new DeadLetters({
    connection,
    settings,
    session,
    target,
    topic: `${topic}-dlq`,
    maxEntries: options.maxEntries ?? 100_000,
    isDying: () => true,
    written: ({ offset }) => void written.push(offset),
    now: () => performance.now(),
    wallClock: () => Date.now(),
    random: Math.random,
    logger: silent,
  });
  return {
    letters,
    index: new LetterIndex(session, groupPath(target)),
    written,
    async close() {
      await letters.close();
      await session.close();
      await connection.close();
    },
  };
}

function dead(
  partition: number,
  offset: number,
  value: Buffer | null = Buffer.from("v"),
): DeadRecord {
  return {
    partition,
    record: {
      offset,
      timestamp: 1_600_000_000_000 + offset,
      key: Buffer.from([0, 255, offset & 255]),
      value,
      headers: encodeHeaders([
        { name: "constructor", value: Buffer.from("x") },
        { name: "twice", value: null },
        { name: "twice", value: Buffer.alloc(0) },
      ]),
    },
    disposition: "rejected",
    deliveries: 2,
    message: "no such customer",
    firstDeliveredAt: performance.now(),
    worker: "w-1",
  };
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within 60 s: ${what}`);
    await delay(20);
  }
}

test("byte for byte in the topic, made with the source's partitions; found by msgId; every other answer is distinct", async () => {
  await kafka.createTopic("orders", { partitions: 3 });
  const { letters, written, ...rest } = await office("orders");
  for (const partition of [0, 1, 2]) letters.gained(partition);
  letters.add(dead(1, 7));
  letters.add(dead(1, 8, null));
  letters.add(dead(2, 7));
  await until("durable", () => written.length === 3);
  await until("indexed", () => letters.status.behind.length === 0 && letters.status.retained === 3);
  const all = await kafka.consumeAll("orders-dlq");
  const one = all.find(({ partition, offset }) => partition === 1 && offset === 0);
  assert.deepEqual(one?.key, Buffer.from([0, 255, 7]));
  assert.deepEqual(one?.value, Buffer.from("v"));
  assert.equal(one?.timestamp, 1_600_000_000_007);
  assert.deepEqual(one?.headers.slice(0, 3), [
    ["constructor", Buffer.from("x")],
    ["twice", null],
    ["twice", Buffer.alloc(0)],
  ]);
  assert.equal(all.find(({ partition, offset }) => partition === 1 && offset === 1)?.value, null);
  const partitions = new Set((await kafka.endOffsets("orders-dlq")).keys());
  assert.equal(partitions.size, 3);

  const answer = await letters.find("orders:1:7");
  assert.equal(answer.kind, "found");
  assert.ok(answer.kind === "found");
  assert.deepEqual(answer.place, { topic: "orders-dlq", partition: 1, offset: 0 });
  assert.equal(answer.letter.deliveries, 2);
  assert.equal(answer.letter.message, "no such customer");
  assert.deepEqual(answer.letter.value, Buffer.from("v"));
  assert.deepEqual(
    answer.letter.headers.map(({ name }) => name),
    ["constructor", "twice", "twice"],
  );
  assert.equal((await letters.find("orders:1:9")).kind, "unknown");
  assert.equal((await letters.find("orders:99:9")).kind, "unknown");
  assert.equal((await letters.find("other:1:9")).kind, "foreign-topic");
  assert.equal((await letters.find("orders")).kind, "malformed");
  const other = await office("orders", { group: "shipping" });
  assert.equal((await other.letters.find("orders:1:7")).kind, "foreign-group");
  await other.close();

  await kafka.deleteRecords("orders-dlq", 1, 1);
  assert.equal((await letters.find("orders:1:7")).kind, "pruned");
  await rest.close();
});

test("a duplicate keeps the first; another timestamp is another record and overwrites", async () => {
  await kafka.createTopic("twice", { partitions: 1 });
  const { letters, index, written, ...rest } = await office("twice");
  letters.gained(0);
  letters.add(dead(0, 1));
  await until("indexed", () => letters.status.retained === 1 && letters.status.behind.length === 0);
  letters.add(dead(0, 1));
  await until("durable", () => written.length === 2);
  await until("indexed", () => letters.status.behind.length === 0);
  assert.equal((await index.find(0, 1))?.offset, 0);
  assert.equal(letters.status.retained, 1);
  letters.add({ ...dead(0, 1), record: { ...dead(0, 1).record, timestamp: 5 } });
  await until("durable", () => written.length === 3);
  await until("indexed", () => letters.status.behind.length === 0);
  assert.deepEqual(await index.find(0, 1), {
    topic: "twice-dlq",
    partition: 0,
    offset: 2,
    timestamp: 5,
  });
  await rest.close();
});

test("what a crash or an outage left out of the index is repaired from the topic", async () => {
  await kafka.createTopic("repair", { partitions: 2 });
  const first = await office("repair");
  first.letters.gained(0);
  await until("ready", () => first.letters.status.behind.length === 0);
  // Not ours for the indexer: written, and nobody indexes it, as when we die in between.
  for (let offset = 0; offset < 500; offset++) first.letters.add(dead(1, offset));
  first.letters.add(dead(0, 3));
  await until("durable", () => first.written.length === 501);
  const late = await first.letters.find("repair:1:400");
  assert.equal(late.kind, "not-yet-indexed");
  await first.close();

  const second = await office("repair");
  second.letters.gained(1);
  await until("repaired", () => second.letters.status.retained === 500);
  assert.equal((await second.letters.find("repair:1:400")).kind, "found");

  await zookeeper.kill();
  for (let offset = 500; offset < 600; offset++) second.letters.add(dead(1, offset));
  await until("durable", () => second.written.length === 100);
  await until("behind", () => second.letters.status.behind.length === 1);
  await zookeeper.start();
  await until("caught up", () => second.letters.status.retained === 600);
  assert.equal((await second.letters.find("repair:1:599")).kind, "found");
  assert.equal((await second.index.summary(1))?.scanned["1"], 600);
  await second.close();
});

test("the oldest leave the index when it is full", async () => {
  await kafka.createTopic("many", { partitions: 1 });
  const first = await office("many");
  first.letters.gained(0);
  for (let offset = 0; offset < 300; offset++) first.letters.add(dead(0, offset));
  await until("indexed", () => first.letters.status.retained === 300);
  await first.close();
  const second = await office("many", { maxEntries: 100 });
  second.letters.gained(0);
  await until("pruned", () => second.letters.status.retained === 100);
  assert.deepEqual(
    await second.index.offsets(0),
    Array.from({ length: 100 }, (_, index) => 200 + index),
  );
  assert.equal((await second.letters.find("many:0:5")).kind, "pruned");
  assert.equal((await second.letters.find("many:0:250")).kind, "found");
  await second.close();
});

test("what retention removed from the topic leaves the index", async () => {
  await kafka.createTopic("aged", { partitions: 1 });
  const first = await office("aged");
  first.letters.gained(0);
  for (let offset = 0; offset < 20; offset++) first.letters.add(dead(0, offset));
  await until("indexed", () => first.letters.status.retained === 20);
  await first.close();
  await kafka.deleteRecords("aged-dlq", 0, 10);
  const second = await office("aged");
  second.letters.gained(0);
  await until("pruned", () => second.letters.status.retained === 10);
  assert.equal((await second.letters.find("aged:0:3")).kind, "pruned");
  assert.equal((await second.letters.find("aged:0:10")).kind, "found");
  assert.deepEqual((await second.index.summary(0))?.logStarts, { 0: 10 });
  await second.close();
});

test("a record that the dead-letter topic refuses as too large: a pointer in its place", async () => {
  await kafka.createTopic("large", { partitions: 1 });
  await kafka.createTopic("large-dlq", {
    partitions: 1,
    config: { "max.message.bytes": "100000" },
  });
  const { letters, written, ...rest } = await office("large");
  letters.gained(0);
  letters.add(dead(0, 0));
  letters.add(dead(0, 1, randomBytes(200_000)));
  letters.add(dead(0, 2));
  await until("durable", () => written.length === 3);
  await until("indexed", () => letters.status.retained === 3);
  const answer = await letters.find("large:0:1");
  assert.ok(answer.kind === "found");
  assert.equal(answer.letter.pointer, true);
  assert.equal(answer.letter.value, null);
  assert.deepEqual(answer.letter.key, Buffer.from([0, 255, 1]));
  const whole = await letters.find("large:0:2");
  assert.ok(whole.kind === "found");
  assert.equal(whole.letter.pointer, false);
  await rest.close();
});

test("a record that is larger than any request, and small compressed: whole, and the next one too", async () => {
  await kafka.createTopic("bomb", { partitions: 1 });
  const { letters, written, ...rest } = await office("bomb");
  letters.gained(0);
  const value = Buffer.alloc(120 * 1024 * 1024, "0123456789");
  letters.add(dead(0, 0, value));
  letters.add(dead(0, 1));
  await until("durable", () => written.length === 2);
  await until("indexed", () => letters.status.retained === 2);
  const answer = await letters.find("bomb:0:0");
  assert.ok(answer.kind === "found");
  assert.equal(answer.letter.pointer, false);
  assert.ok(value.equals(answer.letter.value ?? Buffer.alloc(0)));
  await rest.close();
});

test("a dead-letter topic that is deleted is made again, what is dead waits meanwhile", async () => {
  await kafka.createTopic("gone", { partitions: 1 });
  const { letters, written, ...rest } = await office("gone");
  letters.gained(0);
  letters.add(dead(0, 0));
  await until("durable", () => written.length === 1);
  await kafka.deleteTopic("gone-dlq");
  letters.add(dead(0, 1));
  await until("durable", () => written.length === 2);
  assert.equal((await kafka.consumeAll("gone-dlq")).length, 1);
  await rest.close();
});
