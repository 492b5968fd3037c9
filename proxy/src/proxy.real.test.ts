import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@kafkaproxy/kafka";
import { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import {
  type KafkaCluster,
  startKafka,
  startZooKeeper,
  type ZooKeeperServer,
} from "../../test/servers/index.ts";
import { parseConfig } from "./config/index.ts";
import { Proxy } from "./proxy.ts";
import { TestWorker, type TestWorkerOptions } from "./test-worker.ts";

let kafka: KafkaCluster;
let zookeeper: ZooKeeperServer;
before(async () => {
  [kafka, zookeeper] = await Promise.all([startKafka(), startZooKeeper()]);
});
const proxies: Proxy[] = [];
after(async () => {
  await Promise.all(proxies.map(async (proxy) => await proxy.close()));
  await Promise.all([kafka.stop(), zookeeper.stop()]);
});

interface Started {
  readonly proxy: Proxy;
  readonly words: string[];
}

function makeProxy(topic: string, settings: Record<string, unknown> = {}): Started {
  const words: string[] = [];
  const say = (_fields: object, message: string): void => void words.push(message);
  const logger: Logger = { debug: () => undefined, info: say, warn: say, error: say };
  const text = JSON.stringify({
    topic,
    consumerGroup: `${topic}-group`,
    instance: "p-0",
    kafka: {
      bootstrapServers: kafka.bootstrapServers,
      sessionTimeout: "6s",
      heartbeatInterval: "200ms",
      requestTimeout: "2s",
    },
    zookeeper: { servers: zookeeper.connectString },
    listener: { port: 0 },
    admin: { port: 0 },
    ...settings,
  });
  const proxy = new Proxy(parseConfig({ text, format: "yaml" }, {}), { logger });
  proxies.push(proxy);
  return { proxy, words };
}

function worker(proxy: Proxy, topic: string, options: Partial<TestWorkerOptions> = {}): TestWorker {
  return new TestWorker(proxy.address, { topic, consumerGroup: `${topic}-group`, ...options });
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within 60 s: ${what}`);
    await delay(20);
  }
}

async function registered(topic: string): Promise<string[]> {
  const session = new ZooKeeperSession({ servers: zookeeper.connectString });
  session.start();
  try {
    return (await session.children(`/kafkaproxy/default/${topic}/${topic}-group/proxies`)) ?? [];
  } finally {
    await session.close();
  }
}

test("a record from Kafka to a worker, acked, committed; a drain leaves nothing behind", async () => {
  await kafka.createTopic("line", { partitions: 2 });
  const { proxy } = makeProxy("line");
  await proxy.start();
  await until("serving", () => proxy.state === "serving");
  await until("registered", async () => (await registered("line")).includes("p-0"));
  const one = worker(proxy, "line");
  const two = worker(proxy, "line");
  const values = Array.from({ length: 1_000 }, (_, index) => ({
    partition: index % 2,
    value: `value ${index}`,
  }));
  await kafka.produce("line", values);
  await until("all settled", () => one.settled.size + two.settled.size === 1_000);
  const seen = [...one.delivered, ...two.delivered].map(({ value }) =>
    Buffer.from(value ?? []).toString(),
  );
  assert.deepEqual(new Set(seen), new Set(values.map(({ value }) => value)));
  assert.ok(one.delivered.length > 0 && two.delivered.length > 0);
  await proxy.drain();
  assert.equal(proxy.state, "stopped");
  assert.equal(await kafka.lag("line-group", "line"), 0);
  assert.deepEqual(await kafka.groupMembers("line-group"), []);
  assert.deepEqual(await registered("line"), []);
  assert.ok(one.frames.some(({ type }) => type === "goaway"));
});

/** No pattern that run lengths or a bitmap could make small. */
const held = (offset: number): boolean => ((offset * 2_654_435_761) >>> 0) % 3 === 0;

test("what does not fit a commit's metadata goes to the next owner through ZooKeeper: nothing acked comes twice", async () => {
  await kafka.createTopic("holes", { partitions: 1 });
  const count = 20_000;
  await kafka.produce(
    "holes",
    Array.from({ length: count }, (_, index) => ({ value: `${index}` })),
  );
  const settings = { delivery: { ackTimeout: "60s" }, pull: { maxMessages: 1_000 } };
  const first = makeProxy("holes", settings);
  await first.proxy.start();
  const expected = Array.from({ length: count }, (_, offset) => offset).filter(
    (offset) => !held(offset),
  );
  const one = worker(first.proxy, "holes", {
    handle: ({ offset }) => (held(offset) ? "hold" : "ack"),
  });
  await until("all delivered", () => one.delivered.length === count);
  await delay(300);
  await first.proxy.drain(0);
  const session = new ZooKeeperSession({ servers: zookeeper.connectString });
  session.start();
  const path = "/kafkaproxy/default/holes/holes-group/handover/0";
  assert.ok(((await session.get(path))?.data.byteLength ?? 0) > 1_000);

  const second = makeProxy("holes", { ...settings, delivery: { ackTimeout: "1s" } });
  await second.proxy.start();
  const two = worker(second.proxy, "holes");
  await until("the held ones", () => two.settled.size === count - expected.length);
  assert.ok(two.delivered.every(({ offset }) => held(offset)));
  assert.ok(two.delivered.every(({ attempt }) => attempt === 2));
  await until("removed", async () => (await session.get(path)) === undefined);
  await session.close();
  await second.proxy.drain();
  assert.equal(await kafka.lag("holes-group", "holes"), 0);
});

test("a poison message: delivered so often and no more, then in the dead-letter topic, found by its msgId", async () => {
  await kafka.createTopic("poison", { partitions: 1 });
  const { proxy } = makeProxy("poison", {
    delivery: { ackTimeout: "300ms", maxDeliveries: 3, backoff: { initial: "50ms" } },
  });
  await proxy.start();
  const one = worker(proxy, "poison", { handle: ({ offset }) => (offset === 1 ? "hold" : "ack") });
  await kafka.produce("poison", [{ value: "a" }, { value: "bad" }, { value: "c" }]);
  await until("committed past it", async () => (await kafka.lag("poison-group", "poison")) === 0);
  assert.deepEqual(
    one.delivered.filter(({ offset }) => offset === 1).map(({ attempt }) => attempt),
    [1, 2, 3],
  );
  await until("indexed", () => proxy.status().deadLetters?.retained === 1);
  const answer = await proxy.findDeadLetter("poison:0:1");
  assert.ok(answer.kind === "found");
  assert.equal(answer.letter.deliveries, 3);
  assert.equal(answer.letter.worker, "worker");
  assert.equal(Buffer.from(answer.letter.value ?? []).toString(), "bad");
  assert.equal((await proxy.findDeadLetter("poison:0:0")).kind, "unknown");
  const admin = `http://${proxy.adminAddress.host}:${proxy.adminAddress.port}`;
  const shown = await fetch(`${admin}/dead-letters/poison:0:1`);
  assert.equal(shown.status, 200);
  assert.match(await shown.text(), /deliveries-exhausted/);
  assert.equal((await fetch(`${admin}/dead-letters/poison:0:0`)).status, 404);
  assert.equal((await fetch(`${admin}/readyz`)).status, 200);
  assert.equal((await fetch(`${admin}/healthz`)).status, 200);
  const metrics = await (await fetch(`${admin}/metrics`)).text();
  assert.match(metrics, /kafkaproxy_dead_letters_total\{disposition="deliveries-exhausted".*\} 1/);
  assert.match(metrics, /kafkaproxy_commit_duration_seconds_count\{.*result="ok".*\} [1-9]/);
  assert.match(metrics, /kafkaproxy_rebalances_total\{.*\} 1/);
  one.close();
  await proxy.drain();
});

test("the dead-letter topic refuses: the rest flows on, the dead wait visibly, the watermark stays before them", async () => {
  await kafka.createTopic("blocked", { partitions: 1 });
  await kafka.createTopic("blocked-dlq", {
    partitions: 1,
    config: { "max.message.bytes": "10" },
  });
  const { proxy, words } = makeProxy("blocked");
  await proxy.start();
  const one = worker(proxy, "blocked", {
    handle: ({ offset }) => (offset === 5 ? "reject" : "ack"),
  });
  await kafka.produce(
    "blocked",
    Array.from({ length: 100 }, (_, index) => ({ value: `${index}` })),
  );
  await until("the others settled", () => one.settled.size === 99);
  await until("visible", () => proxy.status().deadLetters?.problem !== undefined);
  const status = proxy.status();
  assert.equal(status.deadLetters?.waiting, 1);
  assert.equal(status.partitions[0]?.watermark, 5);
  assert.equal(status.partitions[0]?.dying, 1);
  assert.equal(status.partitions[0]?.oldestUnsettled?.msgId, "blocked:0:5");
  assert.equal(status.partitions[0]?.lag, 95);
  assert.equal(words.filter((line) => line.includes("dead-letter topic refuses")).length, 1);
  one.close();
  await proxy.drain(0);
});

test("Kafka and ZooKeeper are away at the start: it starts, says so once, and serves when they are there", async () => {
  await kafka.createTopic("away", { partitions: 1 });
  await kafka.produce("away", [{ value: "1" }]);
  const [broker] = kafka.brokers;
  assert.ok(broker);
  await Promise.all([broker.kill(), zookeeper.kill()]);
  const { proxy, words } = makeProxy("away");
  await proxy.start();
  await delay(3_000);
  assert.equal(proxy.state, "starting");
  assert.equal(proxy.readiness().ready, false);
  assert.equal(proxy.status().kafka?.reachable, false);
  assert.equal(proxy.status().zookeeper?.reachable, false);
  for (const name of ["Kafka does not answer", "ZooKeeper does not answer"]) {
    assert.equal(words.filter((line) => line.includes(name)).length, 1, name);
  }
  await broker.start();
  const one = worker(proxy, "away");
  await until("settled without ZooKeeper", () => one.settled.size === 1);
  await zookeeper.start();
  await until("registered", async () => (await registered("away")).length === 1);
  assert.equal(proxy.status().zookeeper?.registered, true);
  assert.deepEqual(proxy.readiness(), { ready: true, reasons: [] });
  one.close();
  await proxy.drain();
});

test("paused: nothing is delivered, membership and commits are kept", async () => {
  await kafka.createTopic("paused", { partitions: 1 });
  await kafka.produce("paused", [{ value: "1" }]);
  const { proxy } = makeProxy("paused", { paused: true });
  await proxy.start();
  const one = worker(proxy, "paused");
  await until("in the window", () => proxy.status().partitions[0]?.ready === 1);
  await delay(500);
  assert.equal(one.delivered.length, 0);
  assert.equal(proxy.state, "serving");
  one.close();
  await proxy.drain();
});

test("a drain waits for workers inside the grace period, and delivers nothing new", async () => {
  await kafka.createTopic("grace", { partitions: 1 });
  const { proxy } = makeProxy("grace");
  await proxy.start();
  const finish = Promise.withResolvers<"ack">();
  const one = worker(proxy, "grace", { handle: async () => await finish.promise });
  await kafka.produce("grace", [{ value: "1" }]);
  await until("delivered", () => one.delivered.length === 1);
  const drained = proxy.drain(30_000);
  await until("told to go", () => one.frames.some(({ type }) => type === "goaway"));
  await kafka.produce("grace", [{ value: "2" }]);
  await delay(500);
  assert.equal(proxy.state, "draining");
  finish.resolve("ack");
  await drained;
  assert.equal(proxy.state, "stopped");
  assert.deepEqual([...one.settled], ["0:0"]);
  assert.equal(one.delivered.length, 1);
  assert.equal((await kafka.committed("grace-group", "grace")).get(0)?.offset, 1);
});

test("a port that is taken: start() fails with words, and nothing is left running", async () => {
  const first = makeProxy("grace");
  await first.proxy.start();
  const second = makeProxy("grace", { listener: { port: first.proxy.address.port } });
  await assert.rejects(second.proxy.start(), /EADDRINUSE/);
  assert.equal(second.proxy.state, "failed");
  await first.proxy.drain(0);
});
