import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { LeaseTerm } from "./lease-term.ts";

test("it is lost at its deadline by itself, and no late renewal brings it back", async () => {
  const term = new LeaseTerm(performance.now(), 300);
  assert.equal(term.held, true);
  await once(term.lost, "abort");
  term.renewed(performance.now());
  assert.equal(term.held, false);
  assert.match(String(term.lost.reason), /not renewed in time/u);
});

test("who looks after the deadline finds it lost, before any timer has fired", () => {
  const term = new LeaseTerm(performance.now() - 31, 30);
  assert.equal(term.lost.aborted, false);
  assert.equal(term.held, false);
  assert.equal(term.lost.aborted, true);
  term.renewed(performance.now());
  assert.equal(term.held, false);
});

test("a renewal counts from when it was begun", async () => {
  const beganAt = performance.now();
  const term = new LeaseTerm(beganAt - 50, 100);
  term.renewed(beganAt);
  await once(term.lost, "abort");
  assert.ok(performance.now() - beganAt >= 100);
});
