// Kafka away, ZooKeeper away, both: the proxy says so once, loses nothing and goes on by itself.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createWorld, Recorder, type Scene, until, type World } from "../harness/index.ts";
import type { ProxyProcess } from "../harness/index.ts";

const outageMs = 60_000;

let world: World;
before(async () => {
  world = await createWorld();
});
after(() => world.close());

async function ready(proxy: ProxyProcess): Promise<boolean> {
  return (await fetch(`http://${proxy.adminAddress}/readyz`)).ok;
}

/** An outage has a few lines when it begins, from each part that meets it, and no more as it goes on. */
function saidOnce(proxy: ProxyProcess): void {
  const loud = proxy.log.split("\n").filter((line) => /"level":(40|50)/u.test(line));
  const words = loud.map((line) => (JSON.parse(line) as { msg: string }).msg);
  assert.ok(words.length > 0, "not said at all");
  assert.deepEqual(words, [...new Set(words)], "said more than once");
}

async function underLoad(
  name: string,
  outage: (scene: Scene, proxy: ProxyProcess, recorder: Recorder) => Promise<void>,
): Promise<void> {
  const scene = await world.scene(name, { partitions: 2, replicas: 1 });
  try {
    const proxy = scene.proxy(0);
    await proxy.serving();
    const recorder = new Recorder();
    await scene.workers(10, recorder, { handle: () => delay(50) });
    await world.kafka.fill(scene.topic, { count: 3_000, valueBytes: 100 });
    await until("500 finished", () => recorder.finished >= 500);
    await outage(scene, proxy, recorder);
    await until("3,000 finished", () => recorder.finished === 3_000);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    await until("ready again", () => ready(proxy));
    assert.equal(proxy.state, "serving");
  } finally {
    await scene.close();
  }
}

test("Kafka frozen for 60 s: deliveries stop in time, the proxy is not ready, and goes on by itself", async () => {
  await underLoad("kafka-away", async (_scene, proxy, recorder) => {
    const [broker] = world.kafka.brokers;
    assert.ok(broker);
    broker.freeze();
    const frozenAt = performance.now();
    await until("not ready", async () => !(await ready(proxy)));
    await delay(Math.max(0, 12_000 - (performance.now() - frozenAt)));
    const fencedSize = recorder.deliveries.size;
    await delay(Math.max(0, outageMs - (performance.now() - frozenAt)));
    assert.equal(recorder.deliveries.size, fencedSize, "delivered while fenced");
    broker.thaw();
    saidOnce(proxy);
  });
});

test("ZooKeeper away for 60 s: serves on", async () => {
  await underLoad("zookeeper-away", async (_scene, proxy, recorder) => {
    await world.zookeeper.kill();
    const killedAt = performance.now();
    await until("work goes on", () => recorder.finished >= 2_000);
    await delay(Math.max(0, outageMs - (performance.now() - killedAt)));
    const status = JSON.stringify(await proxy.status());
    assert.match(status, /zookeeper/iu);
    await world.zookeeper.start();
    saidOnce(proxy);
  });
});

test("both away for 60 s", async () => {
  await underLoad("both-away", async (_scene, proxy) => {
    const [broker] = world.kafka.brokers;
    assert.ok(broker);
    await Promise.all([world.zookeeper.kill(), broker.kill()]);
    await delay(outageMs);
    saidOnce(proxy);
    await Promise.all([world.zookeeper.start(), broker.start()]);
  });
});
