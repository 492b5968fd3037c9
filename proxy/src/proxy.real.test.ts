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
after(async () => {
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
    consumerGroup: "billing",
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
  return { proxy: new Proxy(parseConfig({ text, format: "yaml" }, {}), { logger }), words };
}

function worker(proxy: Proxy, topic: string, options: Partial<TestWorkerOptions> = {}): TestWorker {
  return new TestWorker(proxy.address, { topic, consumerGroup: "billing", ...options });
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
    return (await session.children(`/kafkaproxy/default/${topic}/billing/proxies`)) ?? [];
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
  assert.equal(await kafka.lag("billing", "line"), 0);
  assert.deepEqual(await kafka.groupMembers("billing"), []);
  assert.deepEqual(await registered("line"), []);
  assert.ok(one.frames.some(({ type }) => type === "goaway"));
});
