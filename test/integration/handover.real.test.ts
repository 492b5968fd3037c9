// Proxies that stop, die, join and leave under load.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  createWorld,
  type ProxyProcess,
  Recorder,
  type Scene,
  until,
  type World,
} from "../harness/index.ts";

let world: World;
before(async () => {
  world = await createWorld();
});
after(() => world.close());

async function allDone(scene: Scene, recorder: Recorder, count: number): Promise<void> {
  await until(`${count} finished`, () => recorder.finished === count);
  await until("committed lag 0", async () => (await scene.lag()) === 0);
}

/** Generations of the group that a proxy has seen. */
async function rebalances(proxy: ProxyProcess): Promise<number> {
  const seen = await proxy.metric("kafkaproxy_rebalances_total");
  assert.ok(seen > 0, "it has joined");
  return seen;
}

test("graceful stop under load: 0 lost, 0 duplicates", async () => {
  const scene = await world.scene("graceful-stop", { partitions: 4 });
  try {
    const proxies = [scene.proxy(0), scene.proxy(1)] as const;
    await Promise.all(proxies.map((proxy) => proxy.serving()));
    const recorder = new Recorder();
    await scene.workers(40, recorder, { concurrency: 2, handle: () => delay(10) });
    await world.kafka.fill(scene.topic, { count: 20_000, valueBytes: 100 });
    await until("5,000 finished", () => recorder.finished >= 5_000);
    assert.equal(await proxies[0].stop(), 0, proxies[0].log);
    await allDone(scene, recorder, 20_000);
    assert.deepEqual(recorder.duplicates(), []);
  } finally {
    await scene.close();
  }
});

test("SIGKILL under load: 0 lost, at most 0.1 % duplicates", async () => {
  const scene = await world.scene("killed", { partitions: 4 });
  try {
    const proxies = [scene.proxy(0), scene.proxy(1)] as const;
    await Promise.all(proxies.map((proxy) => proxy.serving()));
    const recorder = new Recorder();
    await scene.workers(40, recorder, { concurrency: 2, handle: () => delay(10) });
    await world.kafka.fill(scene.topic, { count: 20_000, valueBytes: 100 });
    await until("5,000 finished", () => recorder.finished >= 5_000);
    await proxies[0].kill();
    await allDone(scene, recorder, 20_000);
    const duplicates = recorder.duplicates().length;
    console.log(`duplicates after SIGKILL: ${duplicates} of 20,000`);
    assert.ok(duplicates <= 20, `${duplicates} duplicates of 20,000`);
  } finally {
    await scene.close();
  }
});

test("a third proxy joins and leaves under handlers of 2 s: 0 lost, 0 duplicates, no partition stands still for long", async () => {
  let handlerMs = 2_000;
  const partitions = [0, 1, 2, 3, 4, 5];
  const scene = await world.scene("rebalance", { partitions: partitions.length, replicas: 3 });
  try {
    const proxies = [scene.proxy(0), scene.proxy(1)];
    await Promise.all(proxies.map((proxy) => proxy.serving()));
    const recorder = new Recorder();
    // Workers come one after the other, so that their handlers of 2 s end evenly spread: a delivery every few ms.
    await world.kafka.fill(scene.topic, { count: 9_000, valueBytes: 100 });
    for (let i = 0; i < 30; i++) {
      await scene.workers(1, recorder, { concurrency: 10, handle: () => delay(handlerMs) });
      await delay(2_000 / 30);
    }
    await until("300 delivered", () => recorder.deliveries.size >= 300);
    const joiningAt = performance.now();
    const third = scene.proxy(2);
    await third.serving();
    const moved = await until("the third proxy has its partitions", async () => {
      const owned = await third.owned();
      return owned.length === 2 && owned;
    });
    await delay(4_000);
    const leavingAt = performance.now();
    assert.equal(await third.stop(), 0, third.log);
    await delay(4_000);
    const endAt = performance.now();
    for (const partition of partitions) {
      const joinGapMs = recorder.longestGapMs(joiningAt, leavingAt, partition);
      const leaveGapMs = recorder.longestGapMs(leavingAt, endAt, partition);
      const words = `partition ${partition}${moved.includes(partition) ? ", moved" : ""}`;
      console.log(
        `${words}: longest time without a delivery ${Math.round(joinGapMs)} ms joining, ${Math.round(leaveGapMs)} ms leaving`,
      );
      assert.ok(
        recorder.startedBy(endAt, partition) < 1_500,
        `${words}: nothing was left to deliver`,
      );
      assert.ok(joinGapMs <= 2_000, `${words}: no delivery for ${joinGapMs} ms`);
      assert.ok(leaveGapMs <= 2_000, `${words}: no delivery for ${leaveGapMs} ms`);
    }
    handlerMs = 0;
    await allDone(scene, recorder, 9_000);
    assert.deepEqual(recorder.duplicates(), []);
  } finally {
    await scene.close();
  }
});

test("a proxy killed and started again inside the session time-out has its partitions back without a rebalance", async () => {
  const scene = await world.scene("restart", { partitions: 4 });
  try {
    const [first, other] = [scene.proxy(0), scene.proxy(1)];
    await Promise.all([first.serving(), other.serving()]);
    const before = await until("both have two partitions", async () => {
      const [a, b] = [await first.owned(), await other.owned()];
      return a.length === 2 && b.length === 2 && { a, b };
    });
    const recorder = new Recorder();
    await scene.workers(10, recorder, { handle: () => delay(10) });
    await world.kafka.fill(scene.topic, { count: 4_000, valueBytes: 100 });
    await until("500 finished", () => recorder.finished >= 500);
    const roundsBefore = await rebalances(other);
    const membersBefore = await world.kafka.groupMembers(scene.group);
    await first.kill();
    // What had been sent before is with its worker by then.
    await delay(200);
    const killedAt = performance.now();
    const again = scene.proxy(0);
    await again.serving();
    const upAt = performance.now();
    const ofItsOwn = await until("a delivery from its partitions", () => {
      const starts = [...recorder.deliveries]
        .filter(([msgId]) => before.a.includes(Number(msgId.split(":")[1])))
        .flatMap(([, all]) => all.map(({ startedAt }) => startedAt));
      return starts.find((startedAt) => startedAt > killedAt);
    });
    console.log(`first delivery ${Math.round(ofItsOwn - upAt)} ms after it was up`);
    assert.ok(ofItsOwn - upAt <= 2_000, `${ofItsOwn - upAt} ms until it delivered`);
    assert.deepEqual(await other.owned(), before.b, "the other proxy kept what it had");
    await until("its partitions are back", async () => {
      const now = await again.owned();
      return now.length === 2 && now;
    });
    assert.deepEqual(await again.owned(), before.a);
    assert.equal((await world.kafka.groupMembers(scene.group)).length, membersBefore.length);
    assert.equal(await rebalances(other), roundsBefore, "the other proxy saw a rebalance");
    await allDone(scene, recorder, 4_000);
    const duplicates = recorder.duplicates().length;
    console.log(`duplicates after SIGKILL and restart: ${duplicates} of 4,000`);
    assert.ok(duplicates <= 4, `${duplicates} duplicates of 4,000`);
  } finally {
    await scene.close();
  }
});
