// What no worker acks: counted deliveries, the dead letter, and the ways to find it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import {
  cliEntry,
  createWorld,
  type ProxyProcess,
  Recorder,
  type Scene,
  until,
  type World,
} from "../harness/index.ts";

const run = promisify(execFile);
let world: World;
before(async () => {
  world = await createWorld();
});
after(() => world.close());

const poison = {
  partition: 0,
  key: Buffer.from([0, 255, 1]),
  value: Buffer.from([9, 0, 200, 255]),
  headers: [
    ["trace", Buffer.from([1, 2, 255])],
    ["again", "a"],
    ["again", "b"],
    ["nothing", null],
    ["constructor", "x"],
  ] as [string, Buffer | string | null][],
  timestamp: 1_700_000_000_123,
};

/** A worker that takes a message and never answers for it: bare pulls are not renewed. */
async function silentWorker(scene: Scene, recorder: Recorder, stop: AbortSignal): Promise<void> {
  const client = await scene.client({ clientName: "silent" });
  const handle = recorder.handler("silent", () => new Promise(() => undefined));
  while (!stop.aborted) {
    for (const message of await client.pull({ max: 1, waitMs: 500 })) {
      void handle(message, { signal: stop });
    }
  }
}

type ShownBytes = null | { text: string } | { base64: string };

/** A dead letter as HTTP and the command line print it. */
interface Shown {
  readonly disposition: string;
  readonly partition: number;
  readonly key: ShownBytes;
  readonly value: ShownBytes;
  readonly headers: readonly { name: string; value: ShownBytes }[];
  readonly timestamp: string;
}

function bytesOf(shown: ShownBytes): Buffer | null {
  if (shown === null) return null;
  return "text" in shown ? Buffer.from(shown.text) : Buffer.from(shown.base64, "base64");
}

/** The record that was printed, in bytes. */
function recordOf({ partition, key, value, headers, timestamp }: Shown) {
  return {
    partition,
    key: bytesOf(key),
    value: bytesOf(value),
    headers: headers.map(({ name, value: bytes }) => [name, bytesOf(bytes)]),
    timestamp: Date.parse(timestamp),
  };
}

async function deadLetters(scene: Scene) {
  const topic = `${scene.topic}-dlq`;
  return await until("the dead letter", async () => {
    // The topic is made with the first dead letter.
    const found = await world.kafka.consumeAll(topic).catch(() => []);
    return found.length > 0 && found;
  });
}

function attempts(recorder: Recorder, msgId: string): number[] {
  return (recorder.deliveries.get(msgId) ?? []).map(({ attempt }) => attempt);
}

test("a worker that never acks: 5 deliveries, each an ackTimeout apart, then the dead letter, found by msgId", async () => {
  const ackTimeoutMs = 2_000;
  const scene = await world.scene("never-acked", {
    partitions: 2,
    replicas: 1,
    settings: {
      delivery: { ackTimeout: `${ackTimeoutMs}ms`, backoff: { initial: "100ms", max: "200ms" } },
    },
  });
  const stop = new AbortController();
  try {
    const proxy = scene.proxy(0);
    await proxy.serving();
    const recorder = new Recorder();
    const silent = silentWorker(scene, recorder, stop.signal);
    await world.kafka.produce(scene.topic, [poison]);
    const [letter, ...more] = await deadLetters(scene);
    assert.ok(letter);
    assert.equal(more.length, 0);
    stop.abort();
    await silent;
    const msgId = `${scene.topic}:0:0`;
    assert.deepEqual(attempts(recorder, msgId), [1, 2, 3, 4, 5]);
    const starts = (recorder.deliveries.get(msgId) ?? []).map(({ startedAt }) => startedAt);
    for (const [i, start] of starts.slice(1).entries()) {
      const gapMs = start - (starts[i] ?? 0);
      // The lease runs at the proxy; on its way to a busy worker a delivery may take a while.
      assert.ok(gapMs >= ackTimeoutMs / 2, `only ${gapMs} ms between two deliveries`);
    }

    assert.deepEqual(letter.key, poison.key);
    assert.deepEqual(letter.value, poison.value);
    assert.equal(letter.timestamp, poison.timestamp);
    const asSent = poison.headers.map(([name, value]) => [
      name,
      typeof value === "string" ? Buffer.from(value) : value,
    ]);
    assert.deepEqual(letter.headers.slice(0, asSent.length), asSent);
    const ours = new Map(
      letter.headers.slice(asSent.length).map(([name, value]) => [name, value?.toString()]),
    );
    assert.equal(ours.get("__dlq.errors.topic"), scene.topic);
    assert.equal(ours.get("__dlq.errors.partition"), "0");
    assert.equal(ours.get("__dlq.errors.offset"), "0");
    assert.equal(ours.get("__dlq.errors.group"), scene.group);
    assert.equal(ours.get("__dlq.errors.delivery.count"), "5");
    assert.ok((ours.get("__dlq.errors.message") ?? "").length > 0);
    assert.equal(ours.get("kafkaproxy.msg-id"), msgId);
    assert.equal(ours.get("kafkaproxy.disposition"), "deliveries-exhausted");
    assert.equal(ours.get("kafkaproxy.worker"), "silent");
    const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/u;
    const [firstAt, deadAt] = ["kafkaproxy.first-delivered-at", "kafkaproxy.dead-at"].map(
      (name) => {
        assert.match(ours.get(name) ?? "", rfc3339);
        return Date.parse(ours.get(name) ?? "");
      },
    );
    // By the proxy's own clock: five leases, less what rounding to milliseconds takes.
    const leasesMs = (deadAt ?? 0) - (firstAt ?? 0);
    assert.ok(leasesMs >= 5 * ackTimeoutMs - 10, `${leasesMs} ms for five leases`);

    const answer = await until("the msgId indexed", async () => {
      const response = await fetch(`http://${proxy.adminAddress}/dead-letters/${msgId}`);
      return response.status === 200 && ((await response.json()) as Shown);
    });
    assert.equal(answer.disposition, "deliveries-exhausted");
    assert.deepEqual(recordOf(answer), { ...poison, headers: asSent });
    const { stdout } = await run(process.execPath, [
      ...process.execArgv,
      cliEntry,
      "--json",
      "dlq",
      "show",
      msgId,
      `--zookeeper=${world.zookeeper.connectString}`,
      `--kafka=${world.kafka.bootstrapServers.join(",")}`,
      `--group=${scene.group}`,
    ]);
    assert.deepEqual(JSON.parse(stdout), answer);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
  } finally {
    stop.abort();
    await scene.close();
  }
});

test("5 MB that the topic holds compressed below its limit of 1 MB: whole in the dead-letter topic", async () => {
  const topicConfig = { "max.message.bytes": "1000000" };
  const scene = await world.scene("dense", { partitions: 1, replicas: 1, topicConfig });
  try {
    const lines = Array.from({ length: 75_000 }, (_, id) =>
      JSON.stringify({ id, customer: `customer-${id % 977}`, state: "shipped", total: id * 7 }),
    );
    const value = Buffer.from(lines.join("\n"));
    assert.ok(value.length > 5_000_000, String(value.length));
    await world.kafka.produce(scene.topic, [{ ...poison, value }], { codec: "zstd" });
    await scene.proxy(0).serving();
    const client = await scene.client();
    client.work((message) => message.reject("not ours"));
    const [letter] = await deadLetters(scene);
    assert.ok(letter);
    assert.ok(letter.value?.equals(value), `${letter.value?.length} of ${value.length} bytes`);
    assert.deepEqual(letter.key, poison.key);
    assert.equal(letter.timestamp, poison.timestamp);
    const names = letter.headers.map(([name]) => name);
    assert.ok(!names.includes("kafkaproxy.pointer"), names.join());
  } finally {
    await scene.close();
  }
});

/** Attempts that a silent worker sees of one record when its proxy is replaced, alone or with another one beside it. */
async function countedOver(
  name: string,
  replicas: 1 | 2,
  replace: (proxy: ProxyProcess) => Promise<void>,
): Promise<number[]> {
  const scene = await world.scene(name, {
    partitions: replicas,
    replicas,
    settings: { delivery: { ackTimeout: "1s", backoff: { initial: "100ms", max: "200ms" } } },
  });
  const stop = new AbortController();
  try {
    const [proxy, ...others] = Array.from({ length: replicas }, (_, n) => scene.proxy(n));
    assert.ok(proxy);
    await Promise.all([proxy, ...others].map((each) => each.serving()));
    await until("the partition is where it belongs", async () => {
      return (await proxy.owned()).join() === "0";
    });
    const recorder = new Recorder();
    const silent = silentWorker(scene, recorder, stop.signal);
    await world.kafka.produce(scene.topic, [poison]);
    const msgId = `${scene.topic}:0:0`;
    await until("two deliveries", () => attempts(recorder, msgId).length === 2);
    await replace(proxy);
    await scene.proxy(0).serving();
    await deadLetters(scene);
    stop.abort();
    await silent;
    return attempts(recorder, msgId);
  } finally {
    stop.abort();
    await scene.close();
  }
}

for (const [how, replicas] of [
  ["alone", 1],
  ["beside another one", 2],
] as const) {
  test(`the count stays 5 when a proxy ${how} is drained and replaced between deliveries`, async () => {
    const seen = await countedOver(`drained-between-${replicas}`, replicas, async (proxy) => {
      assert.equal(await proxy.stop(), 0, proxy.log);
    });
    assert.deepEqual(seen, [1, 2, 3, 4, 5]);
  });

  test(`the count is at most 6 when a proxy ${how} is killed once`, async () => {
    const seen = await countedOver(`killed-between-${replicas}`, replicas, (proxy) => proxy.kill());
    assert.ok(seen.length >= 5 && seen.length <= 6, `deliveries ${seen.join(", ")}`);
  });
}
