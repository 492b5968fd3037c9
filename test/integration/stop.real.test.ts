// Being told to stop, when that is not easy: long handlers, all at once, a second signal, no ZooKeeper.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connectedTo, createWorld, Recorder, until, type World } from "../harness/index.ts";

let world: World;
before(async () => {
  world = await createWorld();
});
after(() => world.close());

test("handlers of 8 s: the other proxy takes them over at once, nothing twice", async () => {
  const scene = await world.scene("long-handlers", { partitions: 2 });
  try {
    const proxies = [scene.proxy(0), scene.proxy(1)] as const;
    await Promise.all(proxies.map((proxy) => proxy.serving()));
    const recorder = new Recorder();
    await scene.workers(20, recorder, { concurrency: 4, handle: () => delay(8_000) });
    await world.kafka.fill(scene.topic, { count: 80, valueBytes: 100 });
    await until("all delivered", () => recorder.deliveries.size === 80);
    assert.equal(await proxies[0].stop(), 0, proxies[0].log);
    assert.match(proxies[0].log, /the other proxies take over what is still being worked on/u);
    const members = (await world.kafka.groupMembers(scene.group)).map((each) => each.instanceId);
    assert.deepEqual(members, [proxies[1].instance], "it has left the group");
    await until("80 finished", () => recorder.finished === 80);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    for (const [msgId, deliveries] of recorder.deliveries) {
      assert.equal(deliveries.length, 1, `${msgId} was delivered more than once`);
    }
  } finally {
    await scene.close();
  }
});

test("handlers longer than the grace period and no other proxy: it ends in time, what they finish counts at the next owner", async () => {
  const scene = await world.scene("longer-than-grace", {
    partitions: 2,
    replicas: 1,
    settings: { drainTimeout: "2s" },
  });
  try {
    const proxy = scene.proxy(0);
    await proxy.serving();
    const recorder = new Recorder();
    await scene.workers(10, recorder, { concurrency: 2, handle: () => delay(10_000) });
    await world.kafka.fill(scene.topic, { count: 20, valueBytes: 100 });
    await until("20 delivered", () => recorder.deliveries.size === 20);
    const told = performance.now();
    assert.equal(await proxy.stop(), 0, proxy.log);
    const tookMs = performance.now() - told;
    assert.match(proxy.log, /the grace period is over/u);
    // Two seconds for the workers; leaving the group and closing take moments, on a busy machine too.
    assert.ok(tookMs < 2_000 + 6_000, `${Math.round(tookMs)} ms for a grace period of 2 s`);
    assert.deepEqual(await world.kafka.groupMembers(scene.group), [], "it has left the group");
    await scene.proxy(0).serving();
    await until("20 finished", () => recorder.finished === 20);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    // Where its start takes longer than leases last they are out twice, but not after the first has finished.
    assert.deepEqual(recorder.duplicates(), []);
  } finally {
    await scene.close();
  }
});

test("all proxies and workers told to stop together: what was finished does not come again", async () => {
  const scene = await world.scene("all-stop", { partitions: 4 });
  try {
    const proxies = [scene.proxy(0), scene.proxy(1)] as const;
    await Promise.all(proxies.map((proxy) => proxy.serving()));
    const recorder = new Recorder();
    const workers = await scene.workers(10, recorder, {
      concurrency: 4,
      handle: () => delay(1_500),
    });
    await connectedTo(2, workers);
    await world.kafka.fill(scene.topic, { count: 200, valueBytes: 100 });
    await until("40 delivered", () => recorder.deliveries.size >= 40);
    const codes = await Promise.all([
      ...proxies.map(async (proxy) => await proxy.stop()),
      ...workers.map(async (worker) => {
        await worker.close();
        return 0;
      }),
    ]);
    assert.deepEqual([...new Set(codes)], [0]);
    assert.equal(recorder.finished, recorder.deliveries.size, "workers finish what they have");
    await Promise.all([scene.proxy(0).serving(), scene.proxy(1).serving()]);
    await scene.workers(10, recorder, { concurrency: 4 });
    await until("200 finished", () => recorder.finished === 200);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    assert.deepEqual(recorder.duplicates(), []);
  } finally {
    await scene.close();
  }
});

test("a second SIGTERM ends it at once, with exit code 1; what was out comes again and nothing is lost", async () => {
  const scene = await world.scene("twice-told", { partitions: 1, replicas: 1 });
  try {
    const proxy = scene.proxy(0);
    await proxy.serving();
    const recorder = new Recorder();
    await scene.workers(2, recorder, { handle: () => delay(5_000) });
    await world.kafka.fill(scene.topic, { count: 4, valueBytes: 100 });
    await until("two delivered", () => recorder.deliveries.size === 2);
    const first = proxy.stop();
    await until("draining", () => proxy.state === "draining");
    void proxy.stop();
    // Waiting for its workers, it would have ended with 0.
    assert.equal(await first, 1);
    await scene.proxy(0).serving();
    await until("4 finished", () => recorder.finished === 4);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
  } finally {
    await scene.close();
  }
});

test("a second SIGTERM while Kafka does not answer ends it at once too", async () => {
  const scene = await world.scene("twice-told-alone", { partitions: 1, replicas: 1 });
  const [broker] = world.kafka.brokers;
  assert.ok(broker);
  try {
    const proxy = scene.proxy(0);
    await proxy.serving();
    broker.freeze();
    const first = proxy.stop();
    await until("draining", () => proxy.state === "draining");
    await delay(1_000);
    const told = performance.now();
    void proxy.stop();
    assert.equal(await first, 1);
    const tookMs = performance.now() - told;
    // By itself it would end after more than 10 s: the time that Kafka has to confirm the last commit.
    assert.ok(tookMs < 8_000, `${Math.round(tookMs)} ms to end at once`);
  } finally {
    broker.thaw();
    await scene.close();
  }
});

test("SIGTERM while ZooKeeper is away: drained inside the grace period, nothing lost, nothing twice", async () => {
  const scene = await world.scene("no-zookeeper", { partitions: 2 });
  try {
    const proxies = [scene.proxy(0), scene.proxy(1)] as const;
    await Promise.all(proxies.map((proxy) => proxy.serving()));
    const recorder = new Recorder();
    const workers = await scene.workers(10, recorder, { concurrency: 2, handle: () => delay(20) });
    await connectedTo(2, workers);
    await world.kafka.fill(scene.topic, { count: 6_000, valueBytes: 100 });
    await until("1,000 finished", () => recorder.finished >= 1_000);
    await world.zookeeper.kill();
    const told = performance.now();
    assert.equal(await proxies[0].stop(), 0, proxies[0].log);
    const tookMs = performance.now() - told;
    assert.ok(tookMs < 30_000, `${Math.round(tookMs)} ms to drain`);
    await until("6,000 finished", () => recorder.finished === 6_000);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    assert.deepEqual(recorder.duplicates(), []);
  } finally {
    await world.zookeeper.start();
    await scene.close();
  }
});

test("SIGTERM while Kafka does not answer: it ends by itself, soon after the grace period", async () => {
  const scene = await world.scene("no-kafka", {
    partitions: 1,
    replicas: 1,
    settings: { drainTimeout: "2s" },
  });
  const [broker] = world.kafka.brokers;
  assert.ok(broker);
  try {
    const proxy = scene.proxy(0);
    await proxy.serving();
    const recorder = new Recorder();
    await scene.workers(2, recorder, { handle: () => delay(500) });
    await world.kafka.fill(scene.topic, { count: 20, valueBytes: 100 });
    await until("4 finished", () => recorder.finished >= 4);
    broker.freeze();
    const told = performance.now();
    await proxy.stop();
    const tookMs = performance.now() - told;
    console.log(`stopped without Kafka in ${Math.round(tookMs)} ms`);
    // What the operator gives a pod above its drain time is 15 s.
    assert.ok(tookMs < 2_000 + 15_000, `${Math.round(tookMs)} ms`);
    broker.thaw();
    await scene.proxy(0).serving();
    await until("20 finished", () => recorder.finished === 20);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
  } finally {
    broker.thaw();
    await scene.close();
  }
});
