// Kafka away, ZooKeeper away, both: the proxy says so once, loses nothing and goes on by itself.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Message } from "@kafkaproxy/client";
import { createWorld, type ProxyProcess, Recorder, until, type World } from "../harness/index.ts";

const outageMs = 60_000;
const sessionTimeoutMs = 10_000;
const heldCount = 10;

/** An outage has a few lines when it begins, from each part that meets it, and no more as it goes on. */
function saidOnce(proxy: ProxyProcess, since: number): void {
  const loud = proxy.log.split("\n").filter((line) => /"level":(40|50)/u.test(line));
  const words = loud
    .map((line) => JSON.parse(line) as { time: number; msg: string })
    .filter(({ time }) => time >= since)
    .map(({ msg }) => msg);
  assert.ok(words.length > 0, "not said at all");
  assert.deepEqual(words, [...new Set(words)], "said more than once");
}

/** Why it is not ready; empty when it is. */
async function unready(proxy: ProxyProcess): Promise<string[]> {
  const response = await fetch(`http://${proxy.adminAddress}/readyz`);
  const { reasons } = (await response.json()) as { reasons: string[] };
  assert.equal(response.ok, reasons.length === 0, `${response.status}: ${reasons.join()}`);
  return reasons;
}

interface Load {
  /** When the outage began, in ms since 1970. */
  readonly since: number;
  readonly world: World;
  readonly proxy: ProxyProcess;
  readonly recorder: Recorder;
  /** Lets the workers finish what they have held since before the outage. */
  readonly release: () => void;
}

/** 3,000 messages of 50 ms, of which some are held by their workers until they are told; and an outage in the middle. */
async function underLoad(outage: (load: Load) => Promise<void>): Promise<void> {
  const world = await createWorld();
  try {
    await inWorld(world, outage);
  } finally {
    await world.close();
  }
}

async function inWorld(world: World, outage: (load: Load) => Promise<void>): Promise<void> {
  const scene = await world.scene("outage", { partitions: 2, replicas: 1 });
  const released = Promise.withResolvers<void>();
  try {
    const proxy = scene.proxy(0);
    await proxy.serving();
    const recorder = new Recorder();
    const held: string[] = [];
    const handle = async ({ msgId }: Message): Promise<void> => {
      if (recorder.finished < 400 || held.length === heldCount) return await delay(50);
      held.push(msgId);
      await released.promise;
    };
    await scene.workers(10, recorder, { concurrency: 2, prefetch: 0, handle });
    await world.kafka.fill(scene.topic, { count: 3_000, valueBytes: 100 });
    await until("500 finished", () => recorder.finished >= 500);
    assert.equal(held.length, heldCount);
    await outage({ since: Date.now(), world, proxy, recorder, release: () => released.resolve() });
    await until("3,000 finished", () => recorder.finished === 3_000);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    await until("ready again", async () => (await unready(proxy)).length === 0);
    await until("announced again", async () => {
      const { zookeeper } = await proxy.status();
      return zookeeper.reachable && zookeeper.registered;
    });
    const { state, fenced, kafka } = await proxy.status();
    assert.deepEqual([state, fenced, kafka.reachable], ["serving", undefined, true]);
    assert.deepEqual(recorder.duplicates(), []);
    for (const msgId of held) assert.equal(recorder.deliveries.get(msgId)?.length, 1, msgId);
  } finally {
    released.resolve();
    await scene.close();
  }
}

/** Kafka is away from now on, and stays so until this resolves: what has to be seen meanwhile. */
async function kafkaAway({ proxy, recorder, release }: Load): Promise<void> {
  const awayAt = performance.now();
  await until("fenced", async () => (await proxy.status()).fenced === "no-heartbeat");
  const fencedAt = performance.now();
  // Before the coordinator could give its partitions to somebody else.
  assert.ok(fencedAt - awayAt < sessionTimeoutMs, `fenced after ${fencedAt - awayAt} ms`);
  assert.ok(recorder.startsAfter(awayAt + 2_000) > 0, "what is in memory is delivered until then");
  assert.deepEqual(await unready(proxy), ["fenced: no-heartbeat"]);
  const finished = recorder.finished;
  release();
  await until("what was held is finished", () => recorder.finished >= finished + heldCount);
  await delay(outageMs - (performance.now() - awayAt));
  const { state, kafka } = await proxy.status();
  assert.deepEqual([state, kafka.reachable], ["serving", false]);
  assert.deepEqual(await unready(proxy), ["fenced: no-heartbeat"]);
  // What was on its way to a worker when the fence closed has come by then.
  assert.equal(recorder.startsAfter(fencedAt + 1_000), 0, "delivered while fenced");
  assert.ok(recorder.finished < 3_000, "nothing was left that it could have delivered");
}

// Side by side, each with servers of its own: most of their time is waiting.
describe("outages", { concurrency: true }, () => {
  test("Kafka frozen for 60 s: fenced before the session ends, takes acks, and goes on by itself", async () => {
    await underLoad(async (load) => {
      const [broker] = load.world.kafka.brokers;
      assert.ok(broker);
      broker.freeze();
      try {
        await kafkaAway(load);
      } finally {
        broker.thaw();
      }
      saidOnce(load.proxy, load.since);
    });
  });

  test("ZooKeeper away for 60 s: serves on", async () => {
    await underLoad(async ({ since, world, proxy, recorder, release }) => {
      await world.zookeeper.kill();
      const killedAt = performance.now();
      await until("it is said", async () => !(await proxy.status()).zookeeper.reachable);
      const before = recorder.finished;
      release();
      await until("work goes on", () => recorder.finished >= before + 1_000);
      await delay(Math.max(0, outageMs - (performance.now() - killedAt)));
      const { zookeeper, fenced } = await proxy.status();
      assert.deepEqual([zookeeper.reachable, fenced], [false, undefined]);
      assert.deepEqual(await unready(proxy), []);
      await world.zookeeper.start();
      saidOnce(proxy, since);
    });
  });

  test("both away for 60 s: as with Kafka", async () => {
    await underLoad(async (load) => {
      const [broker] = load.world.kafka.brokers;
      assert.ok(broker);
      const { zookeeper } = load.world;
      await Promise.all([zookeeper.kill(), broker.kill()]);
      await kafkaAway(load);
      assert.equal((await load.proxy.status()).zookeeper.reachable, false);
      saidOnce(load.proxy, load.since);
      await Promise.all([zookeeper.start(), broker.start()]);
    });
  });
});
