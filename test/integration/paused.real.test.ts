// `paused` in the configuration file of a proxy that runs.
import assert from "node:assert/strict";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { createWorld, Recorder, until, type World } from "../harness/index.ts";

let world: World;
before(async () => {
  world = await createWorld();
});
after(() => world.close());

const records = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ partition: n % 2, value: `${n}` }));

/** As the kubelet does: who reads it sees the old file or the new one. */
function rewrite(file: string, text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

test("a running proxy follows it: delivery stops and goes on, membership stays, acks are taken", async () => {
  const scene = await world.scene("paused", { partitions: 2, replicas: 1 });
  try {
    const proxy = scene.proxy(0);
    await proxy.serving();
    const recorder = new Recorder();
    const held = Promise.withResolvers<void>();
    await scene.workers(4, recorder, {
      handle: async ({ offset }) => {
        if (offset === 0) await held.promise;
      },
    });
    await world.kafka.produce(scene.topic, records(100));
    await until("all but the two that are held", () => recorder.finished === 98);
    const before = readFileSync(proxy.configFile, "utf8");
    const member = await world.kafka.groupMembers(scene.group);

    rewrite(proxy.configFile, `${before}paused: true\n`);
    await until("paused", async () => (await proxy.status()).paused);
    await world.kafka.produce(scene.topic, records(50));
    held.resolve();
    await until("what was out is acked and committed", async () => {
      return (await world.kafka.lag(scene.group, scene.topic)) === 50;
    });
    await until("the new ones wait in the windows", async () => {
      const { partitions } = await proxy.status();
      return partitions.reduce((sum, one) => sum + one.ready, 0) === 50;
    });
    assert.equal(recorder.deliveries.size, 100);

    rewrite(proxy.configFile, `${before}paused: maybe\n`);
    await until("a bad file is said", () =>
      proxy.log.includes("can't be used: going on as before"),
    );
    assert.equal((await proxy.status()).paused, true);

    rewrite(proxy.configFile, before);
    await until("all finished", () => recorder.finished === 150);
    await until("committed", async () => (await scene.lag()) === 0);
    assert.deepEqual(recorder.duplicates(), []);
    assert.deepEqual(await world.kafka.groupMembers(scene.group), member);
    assert.match(proxy.log, /paused: nothing is delivered[^]*not paused: delivering again/u);
  } finally {
    await scene.close();
  }
});
