// Messages written by other implementations arrive as sent, and dead letters of them are byte for byte the same.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createWorld, until, type World } from "../harness/index.ts";
import { kcat, type RecordToProduce } from "../servers/index.ts";

let world: World;
before(async () => {
  world = await createWorld();
});
after(() => world.close());

interface Seen {
  readonly offset: number;
  readonly timestamp: number | undefined;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [string, string | null])[];
}

const hex = (bytes: Uint8Array | null) =>
  bytes === null ? null : Buffer.from(bytes).toString("hex");

const shapes: RecordToProduce[] = [
  { key: "k", value: "plain" },
  { key: null, value: "null key" },
  { key: "tombstone", value: null },
  { key: "empty", value: "" },
  { key: Buffer.alloc(0), value: Buffer.from([0, 1, 255]) },
  {
    key: "headers",
    value: "x",
    headers: [
      ["a", "1"],
      ["b", Buffer.from([255, 0])],
      ["a", "2"],
      ["null", null],
      ["", "empty name"],
      ["constructor", "c"],
      ["__proto__", "p"],
    ],
    timestamp: 1_600_000_000_000,
  },
];

for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
  test(`Java producer, ${codec}: as sent to a worker, and byte-identical in the dead-letter topic`, async () => {
    const scene = await world.scene(`java-${codec}`, { partitions: 1, replicas: 1 });
    try {
      const sent = shapes.map((shape) => ({ ...shape, partition: 0 }));
      await world.kafka.produce(scene.topic, sent, { codec });
      const asJavaReads = await world.kafka.consumeAll(scene.topic);
      await scene.proxy(0).serving();
      const client = await scene.client();
      const seen: Seen[] = [];
      const worker = client.work((message) => {
        seen.push({
          offset: message.offset,
          timestamp: message.timestamp?.getTime(),
          key: hex(message.key),
          value: hex(message.value),
          headers: message.headers.map(({ name, value }) => [name, hex(value)] as const),
        });
        message.reject("to see it there");
      });
      await until("all seen", () => seen.length === sent.length);
      await worker.drain();
      const expected = asJavaReads.map((record) => ({
        offset: record.offset,
        timestamp: record.timestamp,
        key: hex(record.key),
        value: hex(record.value),
        headers: record.headers.map(([name, value]) => [name, hex(value)] as const),
      }));
      assert.deepEqual(
        seen.sort((a, b) => a.offset - b.offset),
        expected,
      );
      const letters = await until("all dead letters", async () => {
        const found = await world.kafka.consumeAll(`${scene.topic}-dlq`).catch(() => []);
        return found.length === sent.length && found;
      });
      for (const record of asJavaReads) {
        const letter = letters.find(({ headers }) =>
          headers.some(
            ([name, value]) =>
              name === "kafkaproxy.msg-id" &&
              value?.toString() === `${scene.topic}:0:${record.offset}`,
          ),
        );
        assert.ok(letter, `a dead letter of offset ${record.offset}`);
        assert.deepEqual(letter.key, record.key);
        assert.deepEqual(letter.value, record.value);
        assert.equal(letter.timestamp, record.timestamp);
        assert.deepEqual(letter.headers.slice(0, record.headers.length), record.headers);
      }
    } finally {
      await scene.close();
    }
  });
}

/** Values in the order of their offsets, taken by one worker until the group's lag is 0. */
async function valuesOf(scene: Awaited<ReturnType<World["scene"]>>): Promise<string[]> {
  await scene.proxy(0).serving();
  const client = await scene.client();
  const seen: { offset: number; value: string }[] = [];
  client.work((message) => {
    seen.push({ offset: message.offset, value: message.text() });
  });
  await until("committed lag 0", async () => (await scene.lag()) === 0);
  return seen.sort((a, b) => a.offset - b.offset).map(({ value }) => value);
}

function batch(name: string) {
  return Array.from({ length: 5 }, (_, i) => ({ partition: 0, key: "k", value: `${name}-${i}` }));
}

test("transactions: two aborted before a good one; none of the aborted records is delivered", async () => {
  const scene = await world.scene("transactions", { partitions: 1, replicas: 1 });
  try {
    await world.kafka.produce(scene.topic, batch("aborted-a"), { transaction: "abort" });
    await world.kafka.produce(scene.topic, batch("aborted-b"), { transaction: "abort" });
    await world.kafka.produce(scene.topic, batch("good"), { transaction: "commit" });
    await world.kafka.produce(scene.topic, batch("plain"));
    const values = await valuesOf(scene);
    assert.deepEqual(
      values,
      [...batch("good"), ...batch("plain")].map(({ value }) => value),
    );
  } finally {
    await scene.close();
  }
});

test("a compacted topic with gaps", async () => {
  const scene = await world.scene("compacted", {
    partitions: 1,
    replicas: 1,
    topicConfig: {
      "cleanup.policy": "compact",
      "segment.ms": "100",
      "min.cleanable.dirty.ratio": "0.001",
      "min.compaction.lag.ms": "0",
      "max.compaction.lag.ms": "100",
    },
  });
  try {
    for (let round = 0; round < 5; round++) {
      const records = Array.from({ length: 20 }, (_, i) => ({
        partition: 0,
        key: `key-${i}`,
        value: `${round}-${i}`,
      }));
      await world.kafka.produce(scene.topic, records);
    }
    const left = await until("the log has gaps", async () => {
      await world.kafka.produce(scene.topic, [{ partition: 0, key: "tick", value: "tick" }]);
      const found = await world.kafka.consumeAll(scene.topic);
      const last = found.at(-1);
      return last !== undefined && last.offset + 1 > found.length + 50 && found;
    });
    const values = await valuesOf(scene);
    // The cleaner goes on: what a worker saw is at least what is left now, and never more than there was.
    const now = await world.kafka.consumeAll(scene.topic);
    for (const { value } of now) assert.ok(values.includes(value?.toString() ?? ""));
    assert.ok(values.length <= left.length, `${values.length} seen of ${left.length}`);
  } finally {
    await scene.close();
  }
});

test("kcat writes, a worker reads", async () => {
  const scene = await world.scene("kcat", { partitions: 1, replicas: 1 });
  try {
    const [broker = ""] = world.kafka.bootstrapServers;
    const produce = ["-P", "-b", broker, "-t", scene.topic, "-p", "0"];
    await kcat([...produce, "-K", ":", "-H", "h=1", "-H", "h=2"], "key:one\n");
    await kcat([...produce, "-z", "gzip"], "two\n");
    await kcat([...produce, "-Z", "-K", ":"], "gone:\n");
    await scene.proxy(0).serving();
    const client = await scene.client();
    const seen: [number, string | null, string | null, string[]][] = [];
    client.work((message) => {
      seen.push([
        message.offset,
        message.key?.toString() ?? null,
        message.value?.toString() ?? null,
        message.headers.map(({ name, value }) => `${name}=${value?.toString()}`),
      ]);
    });
    await until("three seen", () => seen.length === 3);
    assert.deepEqual(
      seen.sort(([a], [b]) => a - b),
      [
        [0, "key", "one", ["h=1", "h=2"]],
        [1, null, "two", []],
        [2, "gone", null, []],
      ],
    );
  } finally {
    await scene.close();
  }
});
