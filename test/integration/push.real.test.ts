// Push on credit.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connectedTo, createWorld, Recorder, until, type World } from "../harness/index.ts";

let world: World;
before(async () => {
  world = await createWorld();
});
after(() => world.close());

test("two proxies push to 20 workers; a slow one is never crushed", async () => {
  const scene = await world.scene("push", { partitions: 4 });
  try {
    const proxies = [scene.proxy(0), scene.proxy(1)];
    await Promise.all(proxies.map((proxy) => proxy.serving()));
    const recorder = new Recorder();
    let running = 0;
    let most = 0;
    const slow = await scene.client({ mode: "push", clientName: "slow" });
    slow.work(
      async () => {
        running += 1;
        most = Math.max(most, running);
        await delay(200);
        running -= 1;
      },
      { concurrency: 3, prefetch: 2 },
    );
    await scene.workers(20, recorder, {
      concurrency: 5,
      handle: () => delay(5),
      connect: { mode: "push" },
    });
    await world.kafka.fill(scene.topic, { count: 10_000, valueBytes: 100 });
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    assert.ok(most <= 3, `${most} handlers at once with 3 slots`);
    assert.deepEqual(recorder.duplicates(), []);
    assert.equal(recorder.byWorker.size, 20, "workers that got some");
  } finally {
    await scene.close();
  }
});

test("push: all credit goes to the one proxy that is busy", async () => {
  const scene = await world.scene("push-one-busy", { partitions: 2 });
  try {
    const proxies = [scene.proxy(0), scene.proxy(1)];
    await Promise.all(proxies.map((proxy) => proxy.serving()));
    const client = await scene.client({ mode: "push" });
    await connectedTo(2, [client]);
    let running = 0;
    let most = 0;
    client.work(
      async () => {
        running += 1;
        most = Math.max(most, running);
        await delay(100);
        running -= 1;
      },
      { concurrency: 20 },
    );
    const records = Array.from({ length: 1_000 }, (_, i) => ({ partition: 1, value: `${i}` }));
    await world.kafka.produce(scene.topic, records);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    assert.equal(most, 20);
  } finally {
    await scene.close();
  }
});
