import assert from "node:assert/strict";
import { test } from "node:test";
import { reconnectDelayMs } from "./reconnect-delay.ts";

test("doubles from 50 ms to a second, spread evenly below that", () => {
  const longest = [0, 1, 2, 3, 4, 5, 6, 1_000].map((round) => reconnectDelayMs(round, () => 1));
  assert.deepEqual(longest, [50, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
  assert.equal(
    reconnectDelayMs(9, () => 0),
    0,
  );
});
