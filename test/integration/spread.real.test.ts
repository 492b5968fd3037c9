// Many more workers than partitions; leases that are renewed; connections that are cut.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  connectedTo,
  createWorld,
  Recorder,
  startProxy,
  until,
  type World,
} from "../harness/index.ts";
import { freePorts, startRelay } from "../servers/index.ts";

let world: World;
before(async () => {
  world = await createWorld();
});
after(() => world.close());

test("4 partitions, 2 proxies, 200 workers: all of 20,000 messages, some to every worker, lag 0", async () => {
  const scene = await world.scene("many-workers", { partitions: 4 });
  try {
    const proxies = [scene.proxy(0), scene.proxy(1)];
    await Promise.all(proxies.map((proxy) => proxy.serving()));
    const recorder = new Recorder();
    const workers = await scene.workers(200, recorder, { handle: () => delay(5) });
    await connectedTo(2, workers);
    await world.kafka.fill(scene.topic, { count: 20_000, valueBytes: 100 });
    await until("20,000 finished", () => recorder.finished === 20_000);
    assert.equal(recorder.byWorker.size, 200, "workers that got some");
    assert.deepEqual(recorder.duplicates(), []);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
  } finally {
    await scene.close();
  }
});

test("a message held for 30 s with renewal is not delivered again, holds up nobody and the commit", async () => {
  const scene = await world.scene("long-work", { partitions: 1, replicas: 1 });
  try {
    await scene.proxy(0).serving();
    await world.kafka.fill(scene.topic, { count: 2_000, valueBytes: 100 });
    const recorder = new Recorder();
    const held = `${scene.topic}:0:5`;
    const release = Promise.withResolvers<void>();
    await scene.workers(4, recorder, {
      handle: (message) => (message.msgId === held ? release.promise : undefined),
    });
    await until("the others finished", () => recorder.finished === 1_999);
    const end = performance.now() + 30_000;
    while (performance.now() < end) {
      const committed = await world.kafka.committed(scene.group, scene.topic);
      assert.ok((committed.get(0)?.offset ?? 0) <= 5, "the commit passed a message that is held");
      await delay(1_000);
    }
    assert.equal(recorder.deliveries.get(held)?.length, 1);
    release.resolve();
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    assert.equal(recorder.deliveries.get(held)?.length, 1);
  } finally {
    await scene.close();
  }
});

test("a worker's connection is cut for 1 s while it works: it resumes and acks, no redelivery", async () => {
  const scene = await world.scene("cut", { partitions: 1, replicas: 1 });
  const [port = 0] = await freePorts(1);
  const relay = await startRelay(`127.0.0.1:${port}`);
  try {
    const advertisedPort = Number(relay.address.split(":")[1]);
    const listener = { host: "127.0.0.1", port, advertisedHost: "127.0.0.1", advertisedPort };
    await scene.proxy(0, { listener }).serving();
    const recorder = new Recorder();
    const [worker] = await scene.workers(1, recorder, {
      concurrency: 10,
      handle: () => delay(1_500),
    });
    assert.ok(worker);
    const connected: boolean[] = [];
    worker.on("proxyConnected", ({ resumed }) => connected.push(resumed));
    await until("connected", () => worker.state === "connected");
    await world.kafka.fill(scene.topic, { count: 10, valueBytes: 100 });
    await until("10 in the hands of the worker", () => recorder.deliveries.size === 10);
    relay.refuse();
    await delay(1_000);
    relay.restore();
    await until("all finished", () => recorder.finished === 10);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    const counts = [...recorder.deliveries.values()].map(({ length }) => length);
    assert.deepEqual(
      counts,
      Array.from({ length: 10 }, () => 1),
    );
    assert.deepEqual(connected, [true], "it came back once, to its session");
  } finally {
    await scene.close();
    await relay.close();
  }
});

test("the original's .properties file starts a working proxy", async () => {
  const scene = await world.scene("properties", { partitions: 2, replicas: 1 });
  const text = [
    "# as the original system's proxy-server.properties",
    `server.kafka.server.list=${world.kafka.bootstrapServers.join(",")}`,
    `server.group.id=${scene.group}`,
    `server.topic=${scene.topic}`,
    `server.zookeeper.server.list=${world.zookeeper.connectString}`,
    "server.queue.size=1000",
    "server.port=0",
    "server.commit.offset.interval=500",
    "server.commit.offset.batch.size=100",
  ].join("\n");
  const proxy = startProxy({ instance: "properties" }, { name: "proxy-server.properties", text });
  try {
    await proxy.serving();
    await world.kafka.fill(scene.topic, { count: 500, valueBytes: 100 });
    const recorder = new Recorder();
    await scene.workers(4, recorder);
    await until("500 finished", () => recorder.finished === 500);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
  } finally {
    await scene.close();
    await proxy.stop();
  }
});

test("one busy proxy of three fills all slots of a worker, and never more than slots + prefetch are held", async () => {
  const scene = await world.scene("one-busy", { partitions: 3, replicas: 3 });
  try {
    const proxies = [0, 1, 2].map((ordinal) => scene.proxy(ordinal));
    await Promise.all(proxies.map((proxy) => proxy.serving()));
    const client = await scene.client();
    await connectedTo(3, [client]);
    const slots = 40;
    const prefetch = 5;
    let working = 0;
    let most = 0;
    let held = 0;
    let done = 0;
    const worker = client.work(
      async () => {
        working += 1;
        most = Math.max(most, working);
        await delay(100);
        working -= 1;
        done += 1;
        // What is held grows until a handler ends: just before, it is at its highest.
        held = Math.max(held, worker.inFlight);
      },
      { concurrency: slots, prefetch },
    );
    const records = Array.from({ length: 2_000 }, (_, i) => ({ partition: 0, value: `${i}` }));
    await world.kafka.produce(scene.topic, records);
    await until("all worked on", () => done === 2_000);
    assert.equal(most, slots, "slots that the one busy proxy filled");
    assert.ok(held > slots && held <= slots + prefetch, `${held} held at once`);
  } finally {
    await scene.close();
  }
});
