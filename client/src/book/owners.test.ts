import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLimits } from "@kafkaproxy/wire";
import type { Outlet } from "./outlet.ts";
import { Owners } from "./owners.ts";

const outlet = (): Outlet => ({ up: true, gone: false, limits: defaultLimits, send: () => {} });

test("the highest generation has it, whichever was heard last; of one generation who began last", () => {
  const [a, b, c] = [outlet(), outlet(), outlet()];
  const owners = new Owners();
  assert.deepEqual(owners.announce(a, 5, [0, 1]), { left: [], moved: [0, 1] });
  assert.deepEqual(owners.announce(b, 4, [0]), { left: [], moved: [] });
  assert.equal(owners.of(0), a);
  assert.equal(owners.trusted(0, b), false);
  assert.deepEqual(owners.announce(c, 5, [0]), { left: [], moved: [0] });
  assert.deepEqual(owners.claimants(0), [c, a, b]);
  assert.equal(owners.trusted(0, a), true, "of two equal ones nobody knows");
  assert.deepEqual(owners.announce(a, 5, [0, 1, 2]), { left: [], moved: [2] });
  assert.equal(owners.of(0), c, "saying it again is no news");
  assert.deepEqual(owners.partitionsOf(a), [0, 1, 2]);
});

test("who stops makes room for the next, and so does who falls behind", () => {
  const [a, b] = [outlet(), outlet()];
  const owners = new Owners();
  owners.announce(a, 5, [0, 1]);
  owners.announce(b, 4, [0]);
  assert.deepEqual(owners.announce(a, 6, []), { left: [0, 1], moved: [0] });
  assert.equal(owners.of(0), b);
  assert.equal(owners.of(1), undefined);
  owners.announce(a, 7, [0]);
  // A group that was deleted and began anew counts from 1 again.
  assert.deepEqual(owners.announce(a, 1, [0]), { left: [], moved: [0] });
  assert.equal(owners.of(0), b);
});
