import assert from "node:assert/strict";
import { test } from "node:test";
import { SharedPool } from "./shared-pool.ts";

test("one for each key, closed when the last has let go, made anew afterwards", async () => {
  const closed: string[] = [];
  const pool = new SharedPool<string>(async (value) => void closed.push(value));
  let made = 0;
  const make = (): string => `value ${(made += 1)}`;
  const first = pool.acquire("a", make);
  const second = pool.acquire("a", make);
  const other = pool.acquire("b", make);
  assert.equal(first.value, second.value);
  assert.notEqual(first.value, other.value);
  await first.release();
  await first.release();
  assert.deepEqual(closed, [], "let go twice by one is once");
  await second.release();
  assert.deepEqual(closed, ["value 1"]);
  assert.equal(pool.acquire("a", make).value, "value 3");
  assert.equal(pool.size, 2);
});
