import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import * as fc from "fast-check";
import { drainQueue, WorkQueue } from "./work-queue.ts";

test("a key waits once, and comes again when it is added while it is worked on", async () => {
  const queue = new WorkQueue();
  queue.add("a");
  queue.add("b");
  queue.add("a");
  assert.equal(queue.depth, 2);
  assert.equal(await queue.take(), "a");
  queue.add("a");
  queue.add("a");
  assert.equal(queue.depth, 1, "a is being worked on");
  assert.equal(await queue.take(), "b");
  queue.done("a");
  assert.equal(await queue.take(), "a");
  queue.done("a");
  assert.equal(queue.depth, 0);
});

test("each failure in a row waits twice as long, up to the limit; a success starts over", () => {
  const queue = new WorkQueue();
  const waits = Array.from({ length: 20 }, () => queue.addFailed("a"));
  assert.deepEqual(waits.slice(0, 4), [5, 10, 20, 40]);
  assert.equal(waits.at(-1), 1_000_000);
  queue.forget("a");
  assert.equal(queue.addFailed("a"), 5);
  queue.close();
});

test("who is to be looked at at least so often waits no longer than that, however often it failed", () => {
  const queue = new WorkQueue();
  const waits = Array.from({ length: 20 }, () => queue.addFailed("a", 60_000));
  assert.deepEqual([waits[0], waits[3], waits.at(-1)], [5, 40, 60_000]);
  queue.close();
});

test("of two delays the shorter counts", async () => {
  const queue = new WorkQueue();
  queue.addAfter("a", 60_000);
  queue.addAfter("a", 1);
  queue.addAfter("a", 60_000);
  assert.equal(await queue.take(), "a");
  queue.close();
});

test("whoever waits is let go when it closes", async () => {
  const queue = new WorkQueue();
  const waiting = drainQueue(queue, 3, async () => undefined);
  queue.close();
  await waiting;
  assert.equal(await queue.take(), undefined);
});

test("no key is worked on twice at once, and none that was added is forgotten", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.nat(3)), { maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      async (steps, workers) => {
        const queue = new WorkQueue();
        const wanted = new Map<string, number>();
        const done = new Map<string, number>();
        const busy = new Set<string>();
        let steady = 0;
        const running = drainQueue(queue, workers, async (key) => {
          assert.ok(!busy.has(key), `${key} is worked on twice`);
          busy.add(key);
          const seen = wanted.get(key) ?? 0;
          for (let turns = steady++ % 3; turns > 0; turns--) await turn();
          done.set(key, seen);
          busy.delete(key);
        });
        for (const [index, [key, turns]] of steps.entries()) {
          wanted.set(key, index + 1);
          queue.add(key);
          for (let left = turns; left > 0; left--) await turn();
        }
        while (queue.depth > 0 || queue.working > 0) await turn();
        queue.close();
        await running;
        assert.deepEqual(done, wanted, "the last state of each key was seen");
      },
    ),
  );
});
