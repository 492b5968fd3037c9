// Three brokers, of which the leader is killed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createWorld, Recorder, until, type World } from "../harness/index.ts";

let world: World;
before(async () => {
  world = await createWorld({ brokers: 3 });
});
after(() => world.close());

test("the leader is killed under load: 0 lost, goes on by itself within 30 s", async () => {
  const scene = await world.scene("failover", {
    partitions: 3,
    replicas: 1,
    // A small window, so that nothing goes on for long without a new leader to fetch from.
    settings: { queue: { size: 300 } },
  });
  try {
    const proxy = scene.proxy(0);
    await proxy.serving();
    const recorder = new Recorder();
    await scene.workers(20, recorder, { concurrency: 2, handle: () => delay(20) });
    await world.kafka.fill(scene.topic, { count: 20_000, valueBytes: 100 });
    await until("5,000 finished", () => recorder.finished >= 5_000);
    const [broker] = world.kafka.brokers;
    assert.ok(broker);
    await broker.kill();
    recorder.watch();
    const before = recorder.deliveries.size;
    // Every partition has lost a replica, one of them its leader: all must go on.
    await until("deliveries go on after the kill", () => recorder.deliveries.size > before + 8_000);
    const gapMs = recorder.longestGapMs;
    console.log(
      `longest time without a delivery after the leader's death: ${Math.round(gapMs)} ms`,
    );
    assert.ok(gapMs < 30_000, `no delivery for ${gapMs} ms`);
    await until("20,000 finished", () => recorder.finished === 20_000);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    assert.equal(proxy.state, "serving");
    await broker.start();
  } finally {
    await scene.close();
  }
});
