// Three brokers, of which the leader is killed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { KafkaConnection } from "@kafkaproxy/kafka";
import { createWorld, Recorder, until, type World } from "../harness/index.ts";

let world: World;
before(async () => {
  world = await createWorld({ brokers: 3 });
});
after(() => world.close());

async function leaderOf(topic: string) {
  const connection = new KafkaConnection({ bootstrapServers: world.kafka.bootstrapServers });
  try {
    await connection.connect();
    const [partition] = await connection.partitions(topic);
    const broker = world.kafka.brokers.find(({ nodeId }) => nodeId === partition?.leader);
    assert.ok(broker, "the partition has a leader");
    return broker;
  } finally {
    await connection.close();
  }
}

test("the leader is killed under load: 0 lost, goes on by itself within 30 s", async () => {
  const scene = await world.scene("failover", {
    partitions: 1,
    replicas: 1,
    // One partition and a small window, so that nothing goes on for long without a new leader to fetch from.
    settings: { queue: { size: 300 } },
  });
  try {
    const proxy = scene.proxy(0);
    await proxy.serving();
    const recorder = new Recorder();
    await scene.workers(20, recorder, { concurrency: 2, handle: () => delay(20) });
    const broker = await leaderOf(scene.topic);
    await world.kafka.fill(scene.topic, { count: 20_000, valueBytes: 100 });
    await until("5,000 finished", () => recorder.finished >= 5_000);
    const killedAt = performance.now();
    await broker.kill();
    await until("20,000 finished", () => recorder.finished === 20_000);
    const gapMs = recorder.longestGapMs(killedAt, performance.now());
    console.log(
      `longest time without a delivery after the leader's death: ${Math.round(gapMs)} ms`,
    );
    assert.ok(gapMs < 30_000, `no delivery for ${gapMs} ms`);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    assert.equal(proxy.state, "serving");
    await broker.start();
  } finally {
    await scene.close();
  }
});
