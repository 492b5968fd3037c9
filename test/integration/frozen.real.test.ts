// A proxy that is frozen for longer than its session lasts: somebody else has its partitions, and it must know.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createWorld, Recorder, until, type World } from "../harness/index.ts";

let world: World;
before(async () => {
  world = await createWorld();
});
after(() => world.close());

test("frozen past the session's end and thawed: delivers nothing on its old word, then has its partitions again", async () => {
  const scene = await world.scene("frozen", { partitions: 4 });
  try {
    const [frozen, other] = [scene.proxy(0), scene.proxy(1)];
    await Promise.all([frozen.serving(), other.serving()]);
    await until("two partitions each", async () => {
      const counts = await Promise.all([frozen.owned(), other.owned()]);
      return counts.every(({ length }) => length === 2);
    });
    const recorder = new Recorder();
    await scene.workers(20, recorder, { concurrency: 2, handle: () => delay(20) });
    await world.kafka.fill(scene.topic, { count: 20_000, valueBytes: 100 });
    await until("3,000 finished", () => recorder.finished >= 3_000);

    frozen.freeze();
    const frozenAt = performance.now();
    await until("the other has all", async () => (await other.owned()).length === 4);
    await delay(Math.max(0, 15_000 - (performance.now() - frozenAt)));
    const finishedBefore = recorder.finished;
    const thawedAt = performance.now();
    frozen.thaw();
    assert.ok(finishedBefore < 19_000, "work is left for after the thaw");
    await until("the other has given two back", async () => (await other.owned()).length === 2);
    await until("20,000 finished", () => recorder.finished === 20_000);
    await until("committed lag 0", async () => (await scene.lag()) === 0);

    const twice = [...recorder.deliveries].filter(([, all]) => all.length > 1);
    const late = twice.filter(([, all]) =>
      all.some(
        ({ startedAt, finishedAt }, i) =>
          startedAt > thawedAt &&
          all.some((each, j) => j !== i && each.startedAt < startedAt && finishedAt !== undefined),
      ),
    );
    console.log(
      `delivered more than once: ${twice.length}; again after the thaw: ${late.length}; after an ack was sent: ${recorder.duplicates().length}`,
    );
    assert.equal(late.length, 0, "the thawed proxy delivered what another had");
    // Acks that were on their way into the frozen process are re-presented to the next owner.
    assert.ok(recorder.duplicates().length <= 20, `${recorder.duplicates().length} duplicates`);
    assert.match(frozen.log, /nothing is delivered until a heartbeat succeeds/u);
    await until("it has its own again", async () => (await frozen.owned()).join() === "0,2");
  } finally {
    await scene.close();
  }
});

test("frozen for less than the session: everything goes on, with its partitions, nothing lost", async () => {
  const scene = await world.scene("frozen-shortly", { partitions: 4 });
  try {
    const [frozen, other] = [scene.proxy(0), scene.proxy(1)];
    await Promise.all([frozen.serving(), other.serving()]);
    const before = await until("two partitions each", async () => {
      const [a, b] = [await frozen.owned(), await other.owned()];
      return a.length === 2 && b.length === 2 && { a, b };
    });
    const recorder = new Recorder();
    await scene.workers(20, recorder, { concurrency: 2, handle: () => delay(20) });
    await world.kafka.fill(scene.topic, { count: 12_000, valueBytes: 100 });
    await until("2,000 finished", () => recorder.finished >= 2_000);
    frozen.freeze();
    await delay(6_000);
    frozen.thaw();
    await until("12,000 finished", () => recorder.finished === 12_000);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    assert.deepEqual(await frozen.owned(), before.a);
    assert.deepEqual(await other.owned(), before.b);
    console.log(`after an ack was sent: ${recorder.duplicates().length}`);
    assert.deepEqual(recorder.duplicates(), []);
  } finally {
    await scene.close();
  }
});
