// Records that no frame takes, and records as large as a frame takes, on their whole way over a real Kafka.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { createWorld, type ProxyProcess, type Scene, until, type World } from "../harness/index.ts";
import type { ConsumedRecord } from "../servers/index.ts";

const MiB = 1024 * 1024;

let world: World;
before(async () => {
  world = await createWorld({
    config: { "message.max.bytes": String(40 * MiB), "socket.request.max.bytes": "104857600" },
  });
});
after(() => world.close());

const sha = (bytes: Uint8Array | null): string =>
  bytes === null ? "null" : createHash("sha256").update(bytes).digest("hex");

const large = randomBytes(17 * MiB);
const headers: [string, Buffer | null][] = [
  ["trace", Buffer.from([0, 255])],
  ["trace", null],
];

async function letters(scene: Scene, count: number): Promise<ConsumedRecord[]> {
  return await until(`${count} dead letters`, async () => {
    // The topic may not be there yet.
    const found = await world.kafka.consumeAll(`${scene.topic}-dlq`).catch(() => []);
    return found.length === count && found;
  });
}

function header(record: ConsumedRecord | undefined, name: string): string | undefined {
  return record?.headers.findLast(([each]) => each === name)?.[1]?.toString();
}

async function shown(proxy: ProxyProcess, msgId: string): Promise<Record<string, unknown>> {
  return await until("found by msgId", async () => {
    const response = await fetch(`http://${proxy.adminAddress}/dead-letters/${msgId}`);
    return response.status === 200 && ((await response.json()) as Record<string, unknown>);
  });
}

/** One record before, one of 17 MiB, one behind; resolves when the others are through. */
async function past(scene: Scene): Promise<{ proxy: ProxyProcess; seen: string[] }> {
  const record = { partition: 0, key: "k", headers, timestamp: 1_700_000_000_000 };
  await world.kafka.produce(scene.topic, [{ partition: 0, key: null, value: "before" }]);
  await world.kafka.produce(scene.topic, [{ ...record, value: large }]);
  await world.kafka.produce(scene.topic, [{ partition: 0, key: null, value: "behind" }]);
  const proxy = scene.proxy(0);
  await proxy.serving();
  const client = await scene.client();
  const seen: string[] = [];
  client.work((message) => void seen.push(message.text()));
  await until("committed lag 0", async () => (await scene.lag()) === 0);
  return { proxy, seen };
}

test("larger than a frame: to the dead-letter topic, whole, as oversize; the others pass", async () => {
  const scene = await world.scene("oversize-whole", {
    partitions: 1,
    replicas: 1,
    topicConfig: { "max.message.bytes": String(32 * MiB) },
  });
  try {
    const { proxy, seen } = await past(scene);
    assert.deepEqual(seen, ["before", "behind"]);
    const [letter] = await letters(scene, 1);
    assert.equal(sha(letter?.value ?? null), sha(large));
    assert.equal(letter?.key?.toString(), "k");
    assert.equal(letter?.timestamp, 1_700_000_000_000);
    assert.deepEqual(letter?.headers.slice(0, headers.length), headers);
    assert.equal(header(letter, "kafkaproxy.disposition"), "oversize");
    assert.equal(header(letter, "__dlq.errors.delivery.count"), "0");
    assert.equal(header(letter, "kafkaproxy.pointer"), undefined);
    const answer = JSON.stringify(await shown(proxy, `${scene.topic}:0:1`));
    assert.match(answer, /oversize/u);
  } finally {
    await scene.close();
  }
});

test("larger than a frame, and refused by the dead-letter topic: a pointer record there", async () => {
  const scene = await world.scene("oversize-pointer", {
    partitions: 1,
    replicas: 1,
    topicConfig: { "max.message.bytes": String(32 * MiB) },
  });
  try {
    await world.kafka.createTopic(`${scene.topic}-dlq`, {
      partitions: 1,
      config: { "max.message.bytes": String(MiB) },
    });
    const { proxy, seen } = await past(scene);
    assert.deepEqual(seen, ["before", "behind"]);
    const [letter] = await letters(scene, 1);
    assert.equal(letter?.value, null);
    assert.equal(letter?.key?.toString(), "k");
    assert.equal(letter?.timestamp, 1_700_000_000_000);
    assert.deepEqual(letter?.headers.slice(0, headers.length), headers);
    assert.equal(header(letter, "kafkaproxy.disposition"), "oversize");
    assert.equal(header(letter, "kafkaproxy.pointer"), "pointer");
    assert.equal(header(letter, "kafkaproxy.msg-id"), `${scene.topic}:0:1`);
    assert.match(JSON.stringify(await shown(proxy, `${scene.topic}:0:1`)), /pointer/u);
  } finally {
    await scene.close();
  }
});

test("as large as a pull takes: delivered byte for byte, and rejected to the dead-letter topic whole", async () => {
  const scene = await world.scene("nearly-oversize", {
    partitions: 1,
    replicas: 1,
    topicConfig: { "max.message.bytes": String(32 * MiB) },
  });
  try {
    const value = randomBytes(16 * MiB);
    await world.kafka.produce(scene.topic, [
      { partition: 0, key: "a", value },
      { partition: 0, key: "b", value },
      { partition: 0, key: "c", value: "small" },
    ]);
    await scene.proxy(0).serving();
    const client = await scene.client();
    const seen: string[] = [];
    client.work((message) => {
      seen.push(`${message.key?.toString()} ${sha(message.value)}`);
      if (message.key?.toString() === "b") message.reject("to see it there");
    });
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    assert.deepEqual(
      seen.sort(),
      [`a ${sha(value)}`, `b ${sha(value)}`, `c ${sha(Buffer.from("small"))}`].sort(),
    );
    const [letter] = await letters(scene, 1);
    assert.equal(sha(letter?.value ?? null), sha(value));
    assert.equal(header(letter, "kafkaproxy.disposition"), "rejected");
  } finally {
    await scene.close();
  }
});
