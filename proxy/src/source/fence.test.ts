import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Fence, type FenceReason } from "./fence.ts";

const sessionTimeoutMs = 10_000;

function fence(): { fence: Fence; changes: (FenceReason | undefined)[] } {
  const changes: (FenceReason | undefined)[] = [];
  return {
    fence: new Fence({ sessionTimeoutMs, changed: (reason) => void changes.push(reason) }),
    changes,
  };
}

/** Looks every 100 ms from `from` to `to`. */
function watch(subject: Fence, from: number, to: number): void {
  for (let now = from; now <= to; now += 100) subject.observe(now);
}

test("open before the first join, whatever the time", () => {
  const { fence: subject, changes } = fence();
  watch(subject, 0, 100_000);
  subject.observe(900_000);
  assert.equal(subject.reason, undefined);
  assert.deepEqual(changes, []);
});

test("closes session time-out minus 2 s after the last heartbeat that succeeded, opens at the next", () => {
  const { fence: subject, changes } = fence();
  subject.observe(0);
  subject.heartbeat(0);
  watch(subject, 0, 8_000);
  assert.equal(subject.reason, undefined);
  subject.observe(8_001);
  assert.equal(subject.reason, "no-heartbeat");
  watch(subject, 8_100, 20_000);
  subject.heartbeat(8_000);
  assert.equal(subject.reason, "no-heartbeat", "it was sent before the fence closed");
  subject.heartbeat(20_000);
  assert.equal(subject.reason, undefined);
  assert.deepEqual(changes, ["no-heartbeat", undefined]);
});

test("closes at the first look after a freeze of half the session, before anything is delivered", () => {
  const { fence: subject, changes } = fence();
  subject.observe(0);
  subject.heartbeat(0);
  watch(subject, 100, 1_000);
  subject.heartbeat(900);
  subject.observe(6_100);
  assert.equal(subject.reason, "frozen");
  subject.heartbeat(1_000);
  assert.equal(
    subject.reason,
    "frozen",
    "an answer that waited in the socket proves nothing about now",
  );
  subject.heartbeat(6_200);
  assert.deepEqual(changes, ["frozen", undefined]);
});

test("a second freeze while closed moves the bar for the heartbeat that opens", () => {
  const { fence: subject } = fence();
  subject.observe(0);
  subject.heartbeat(0);
  subject.observe(6_000);
  subject.observe(12_000);
  subject.heartbeat(7_000);
  assert.equal(subject.reason, "frozen");
  subject.heartbeat(12_100);
  assert.equal(subject.reason, undefined);
});

test("refused closes at once", () => {
  const { fence: subject, changes } = fence();
  subject.observe(0);
  subject.heartbeat(0);
  subject.refused(500);
  subject.heartbeat(400);
  assert.equal(subject.reason, "refused");
  subject.heartbeat(600);
  assert.deepEqual(changes, ["refused", undefined]);
});

test("never open at a look that is later than the trust in the last heartbeat", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1_000, max: 30_000 }),
      fc.array(fc.tuple(fc.integer({ min: 1, max: 4_000 }), fc.boolean()), { maxLength: 200 }),
      (sessionMs, steps) => {
        const subject = new Fence({ sessionTimeoutMs: sessionMs, changed: () => undefined });
        const trustMs = Math.max(sessionMs - 2_000, sessionMs / 2);
        let now = 0;
        let last = 0;
        subject.observe(0);
        subject.heartbeat(0);
        for (const [step, heartbeat] of steps) {
          now += step;
          subject.observe(now);
          if (heartbeat) {
            subject.heartbeat(now);
            last = now;
          }
          if (subject.reason === undefined) assert.ok(now - last <= trustMs);
        }
      },
    ),
  );
});
