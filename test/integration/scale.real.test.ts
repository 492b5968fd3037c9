// Proxies that come and go as a StatefulSet scales, under a load that does not stop.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createWorld, Recorder, until, type World } from "../harness/index.ts";

let world: World;
before(async () => {
  world = await createWorld();
});
after(() => world.close());

test("2 -> 4 -> 1 -> 4 proxies under a steady load: 0 lost, 0 duplicates", async () => {
  const scene = await world.scene("scale", { partitions: 4 });
  try {
    const start = (ordinal: number, replicas: number, configGeneration: number) =>
      scene.proxy(ordinal, { replicas, configGeneration });
    const kept = [start(0, 2, 1), start(1, 2, 1)];
    await Promise.all(kept.map((proxy) => proxy.serving()));
    const recorder = new Recorder();
    await scene.workers(3, recorder, { concurrency: 50, handle: () => delay(49) });
    let written = 0;
    const ending = new AbortController();
    const load = (async () => {
      while (!ending.signal.aborted) {
        await world.kafka.produce(
          scene.topic,
          Array.from({ length: 100 }, (_, n) => ({ partition: n % 4, value: `${written + n}` })),
        );
        written += 100;
        await delay(200);
      }
    })();
    const flows = async (): Promise<void> => {
      const from = recorder.finished;
      await until("more is finished", () => recorder.finished >= from + 500);
    };
    await flows();
    const added = [start(2, 4, 2), start(3, 4, 2)];
    await Promise.all(added.map((proxy) => proxy.serving()));
    await flows();
    const [first, ...others] = [...kept, ...added];
    await Promise.all(others.map((proxy) => proxy.stop()));
    await flows();
    const back = [1, 2, 3].map((ordinal) => start(ordinal, 4, 4));
    await Promise.all(back.map((proxy) => proxy.serving()));
    await flows();
    ending.abort();
    await load;
    await until("all finished", () => recorder.finished === written);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    assert.deepEqual(recorder.duplicates(), []);
    assert.equal(first?.state, "serving");
  } finally {
    await scene.close();
  }
});
