// Where a proxy's process begins, and what it does when the topic changes under it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createWorld, Recorder, type Scene, until, type World } from "../harness/index.ts";

let world: World;
before(async () => {
  world = await createWorld();
});
after(() => world.close());

function batch(name: string, partition: number, count: number) {
  return Array.from({ length: count }, (_, i) => ({ partition, key: null, value: `${name}-${i}` }));
}

/** Values that a worker of the scene gets, as they come. */
async function values(scene: Scene): Promise<string[]> {
  const client = await scene.client();
  const seen: string[] = [];
  client.work((message) => void seen.push(message.text()));
  return seen;
}

test("offsetReset latest: what is there already is passed over, what comes is not, on added partitions from the first", async () => {
  const scene = await world.scene("from-latest", {
    partitions: 2,
    settings: {
      kafka: {
        bootstrapServers: world.kafka.bootstrapServers,
        offsetReset: "latest",
        metadataRefresh: "1s",
      },
    },
  });
  try {
    await world.kafka.produce(scene.topic, [...batch("old", 0, 5), ...batch("old", 1, 5)]);
    const proxies = [scene.proxy(0), scene.proxy(1)];
    await Promise.all(proxies.map((proxy) => proxy.serving()));
    await until("both initial positions are committed", async () => {
      const committed = await world.kafka.committed(scene.group, scene.topic);
      return committed.get(0)?.offset === 5 && committed.get(1)?.offset === 5;
    });
    const seen = await values(scene);
    await world.kafka.produce(scene.topic, [...batch("new", 0, 5), ...batch("new", 1, 5)]);
    // Written before any proxy can know of the partitions.
    await world.kafka.addPartitions(scene.topic, 4);
    await world.kafka.produce(scene.topic, [...batch("added", 2, 5), ...batch("added", 3, 5)]);
    await until("20 seen", () => seen.length >= 20);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    assert.equal(seen.length, 20);
    assert.equal(new Set(seen).size, 10, "five of each name, from two partitions each");
    assert.ok(seen.every((value) => !value.startsWith("old")));
  } finally {
    await scene.close();
  }
});

test("offsetReset fail: the process ends with exit code 1 and says what to do", async () => {
  const scene = await world.scene("from-nowhere", {
    partitions: 1,
    replicas: 1,
    settings: { kafka: { bootstrapServers: world.kafka.bootstrapServers, offsetReset: "fail" } },
  });
  try {
    const proxy = scene.proxy(0);
    assert.equal(await proxy.ended, 1);
    assert.match(proxy.log, /commit its offsets first, or set kafka\.offsetReset/u);
    assert.equal((await world.kafka.committed(scene.group, scene.topic)).size, 0);
  } finally {
    await scene.close();
  }
});

test("the topic is deleted under load and made anew: the proxy goes on by itself with what is written then", async () => {
  const scene = await world.scene("remade", { partitions: 2 });
  try {
    const proxies = [scene.proxy(0), scene.proxy(1)];
    await Promise.all(proxies.map((proxy) => proxy.serving()));
    const recorder = new Recorder();
    await scene.workers(4, recorder, { handle: () => delay(10) });
    await world.kafka.fill(scene.topic, { count: 2_000, valueBytes: 100 });
    await until("500 finished", () => recorder.finished >= 500);
    await world.kafka.deleteTopic(scene.topic);
    await delay(5_000);
    for (const proxy of proxies) assert.notEqual(proxy.state, "ended", proxy.log);
    await world.kafka.createTopic(scene.topic, { partitions: 2 });
    const seen = await values(scene);
    // Those that were in the windows may still come; what is written from now on must.
    let round = 0;
    await until("what is written now", async () => {
      round += 1;
      await world.kafka.produce(scene.topic, [
        { partition: 0, key: null, value: `round-${round}` },
        { partition: 1, key: null, value: `round-${round}` },
      ]);
      await delay(500);
      return (
        new Set(recorder.deliveries.keys()).size > 0 && seen.some((v) => v.startsWith("round"))
      );
    });
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    const committed = await world.kafka.committed(scene.group, scene.topic);
    const ends = await world.kafka.endOffsets(scene.topic);
    assert.equal(committed.get(0)?.offset, ends.get(0));
    assert.equal(committed.get(1)?.offset, ends.get(1));
    for (const proxy of proxies) assert.equal(proxy.state, "serving", proxy.log);
  } finally {
    await scene.close();
  }
});
