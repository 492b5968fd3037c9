import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startKafka } from "../../../test/servers/index.ts";
import type { KafkaCluster } from "../../../test/servers/index.ts";
import { KafkaConnection } from "../connection/index.ts";
import { KafkaError } from "../errors.ts";
import { GroupOffsets, logOffsets, offsetsForTimestamp } from "../offsets/index.ts";
import { encodeHeaders, noHeaders } from "../records/index.ts";
import { Producer } from "./producer.ts";

let kafka: KafkaCluster;
let connection: KafkaConnection;
let producer: Producer;

before(async () => {
  kafka = await startKafka();
  connection = new KafkaConnection({ bootstrapServers: kafka.bootstrapServers });
  producer = new Producer(connection);
});

after(async () => {
  await connection.close();
  await kafka.stop();
});

function record(value: string, timestamp = 1_000): Parameters<Producer["produce"]>[2][number] {
  return { timestamp, key: null, value: Buffer.from(value), headers: noHeaders };
}

function refused(code: string): (error: unknown) => boolean {
  return (error) => error instanceof KafkaError && error.code === code;
}

test("a topic is created with the broker's replication, and being there is no error", async () => {
  assert.equal(
    await producer.createTopic("made", { partitions: 3, config: { "retention.ms": "99000" } }),
    "created",
  );
  assert.equal(await producer.createTopic("made", { partitions: 3 }), "exists");
  const { baseOffset } = await producer.produce("made", 2, [record("at once")]);
  assert.equal(baseOffset, 0);
  assert.equal((await connection.partitions("made")).length, 3);
});

test("what is written is what Kafka's own consumer reads, byte for byte", async () => {
  await kafka.createTopic("bytes");
  const headers: [string, Buffer | null][] = [
    ["b", Buffer.from([0, 255])],
    ["a", null],
    ["b", Buffer.alloc(0)],
  ];
  const key = Buffer.from([1, 2, 0]);
  const { baseOffset } = await producer.produce("bytes", 0, [
    { timestamp: 1_500_000_000_001, key, value: null, headers: encodeHeaders(headers) },
    { timestamp: 5, key: null, value: Buffer.alloc(0), headers: noHeaders },
  ]);
  assert.equal(baseOffset, 0);
  assert.equal((await producer.produce("bytes", 0, [record("third")])).baseOffset, 2);
  const [first, second, third] = await kafka.consumeAll("bytes");
  assert.deepEqual(first, {
    partition: 0,
    offset: 0,
    timestamp: 1_500_000_000_001,
    key,
    value: null,
    headers,
  });
  assert.deepEqual(
    [second?.key, second?.value, second?.timestamp, second?.headers],
    [null, Buffer.alloc(0), 5, []],
  );
  assert.equal(third?.value?.toString(), "third");
});

test("compressed, what is too large as it is fits, and is read byte for byte", async () => {
  await kafka.createTopic("dense", { config: { "max.message.bytes": "1000" } });
  const large = record("x".repeat(2_000));
  await assert.rejects(producer.produce("dense", 0, [large]), refused("record-too-large"));
  for (const compression of ["gzip", "zstd"] as const) {
    await producer.produce("dense", 0, [large], { compression });
  }
  const found = await kafka.consumeAll("dense");
  assert.deepEqual(
    found.map(({ value }) => value?.toString()),
    ["x".repeat(2_000), "x".repeat(2_000)],
  );
});

test("refusals have their codes", async () => {
  await kafka.createTopic("small", { config: { "max.message.bytes": "1000" } });
  await assert.rejects(
    producer.produce("small", 0, [record("x".repeat(2_000))]),
    refused("record-too-large"),
  );
  await assert.rejects(producer.produce("small", 0, []), refused("bad-arguments"));
  await assert.rejects(
    producer.produce("nowhere", 0, [record("x")], { deadlineMs: 300 }),
    refused("topic-not-found"),
  );
  await assert.rejects(
    producer.createTopic("bad name!", { partitions: 1 }),
    refused("bad-arguments"),
  );
});

test("where a log begins and ends, and where a time is in it", async () => {
  await kafka.createTopic("log", { partitions: 2 });
  await producer.produce("log", 0, [record("a", 100), record("b", 200), record("c", 300)]);
  await kafka.deleteRecords("log", 0, 1);
  assert.deepEqual(
    [...(await logOffsets(connection, "log", [0, 1]))],
    [
      [0, { earliest: 1, latest: 3 }],
      [1, { earliest: 0, latest: 0 }],
    ],
  );
  assert.deepEqual([...(await offsetsForTimestamp(connection, "log", [0, 1], 201))], [[0, 2]]);
});

test("lag: from the commit, or from the log's start", async () => {
  await kafka.createTopic("lagging", { partitions: 2 });
  await producer.produce("lagging", 0, [record("a"), record("b"), record("c")]);
  const offsets = new GroupOffsets(connection, "nobody", "lagging");
  assert.equal((await offsets.committed()).size, 0);
  assert.deepEqual(
    [...(await offsets.lag())],
    [
      [0, { committed: undefined, end: 3, lag: 3 }],
      [1, { committed: undefined, end: 0, lag: 0 }],
    ],
  );
});
