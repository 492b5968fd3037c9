import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLimits } from "@kafkaproxy/wire";
import type { Outlet } from "./outlet.ts";
import { Owners } from "./owners.ts";

const outlet = (): { -readonly [Name in keyof Outlet]: Outlet[Name] } => ({
  up: true,
  gone: false,
  limits: defaultLimits,
  send: () => {},
});

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

test("who has claimed it under an earlier generation all the while is no successor", () => {
  const [a, b, c] = [outlet(), outlet(), outlet()];
  const owners = new Owners();
  owners.announce(b, 4, [0]);
  owners.announce(a, 5, [0, 1]);
  assert.deepEqual(owners.announce(a, 6, []), { left: [0, 1], moved: [] });
  assert.equal(owners.of(0), undefined, "it was cut off while another had it");
  assert.equal(owners.trusted(0, b), true, "for what it delivers itself");
  owners.announce(b, 4, []);
  assert.deepEqual(owners.announce(b, 4, [0]), { left: [], moved: [] });
  assert.deepEqual(owners.announce(c, 7, [0]), { left: [], moved: [0] });
  assert.deepEqual(owners.announce(b, 8, [0]), { left: [], moved: [0] }, "now it is");
});

test("of one generation the other one is the successor", () => {
  const [a, b] = [outlet(), outlet()];
  const owners = new Owners();
  owners.announce(a, 5, [0]);
  owners.announce(b, 5, [0]);
  assert.deepEqual(owners.announce(b, 5, []), { left: [0], moved: [0] });
  assert.equal(owners.of(0), a);
});

test("a group that was deleted counts from 1 again: it is heard when it counts on", () => {
  const [a, b] = [outlet(), outlet()];
  const owners = new Owners();
  owners.announce(a, 500, [0]);
  owners.announce(a, 500, []);
  owners.announce(outlet(), 400, [0]);
  assert.deepEqual(owners.announce(b, 1, [0]), { left: [], moved: [] });
  assert.deepEqual(owners.announce(b, 2, [0]), { left: [], moved: [0] });
  owners.announce(b, 2, []);
  assert.deepEqual(
    owners.announce(a, 2, [0]),
    { left: [], moved: [0] },
    "and the old count is over",
  );
});

test("a later generation that is not connected takes nobody's trust away", () => {
  const [gone, here] = [outlet(), outlet()];
  const owners = new Owners();
  owners.announce(gone, 500, [0]);
  owners.announce(here, 1, [0]);
  assert.equal(owners.trusted(0, here), false);
  gone.up = false;
  assert.equal(owners.trusted(0, here), true);
  assert.equal(owners.of(0), gone, "it may come back");
});
