import assert from "node:assert/strict";
import { test } from "node:test";
import { held, mayTake, observe, released } from "./lease.ts";

const lease = held({}, "a", 15_000, Date.parse("2026-01-02T03:04:05.678Z"));

test("what is written down", () => {
  assert.deepEqual(lease, {
    holderIdentity: "a",
    leaseDurationSeconds: 15,
    acquireTime: "2026-01-02T03:04:05.678000Z",
    renewTime: "2026-01-02T03:04:05.678000Z",
    leaseTransitions: 1,
  });
  const renewed = held(lease, "a", 15_000, Date.parse("2026-01-02T03:04:07Z"));
  assert.equal(renewed.acquireTime, lease.acquireTime);
  assert.equal(renewed.leaseTransitions, 1);
  assert.equal(held(renewed, "b", 15_000, 0).leaseTransitions, 2);
});

test("another's lease is taken only after it has not changed here for its whole length", () => {
  const first = observe(undefined, lease, 1_000);
  const again = observe(first, { ...lease }, 9_000);
  assert.equal(again.at, 1_000, "seen again, not renewed");
  assert.equal(mayTake(again, "b", 15_000, 15_999), false);
  assert.equal(mayTake(again, "b", 15_000, 16_000), true);
  const renewed = observe(again, held(lease, "a", 15_000, 5), 15_000);
  assert.equal(mayTake(renewed, "b", 15_000, 29_999), false);
});

test("the holder's own length counts where it is longer", () => {
  const seen = observe(undefined, { ...lease, leaseDurationSeconds: 60 }, 0);
  assert.equal(mayTake(seen, "b", 15_000, 59_999), false);
  assert.equal(mayTake(seen, "b", 15_000, 60_000), true);
});

test("one that was given back is free at once", () => {
  assert.equal(mayTake(observe(undefined, released(lease, 0), 0), "b", 15_000, 0), true);
});
