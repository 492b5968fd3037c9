import assert from "node:assert/strict";
import { test } from "node:test";
import { SharedPool, type Users } from "./shared-pool.ts";

test("one for each key, closed when the last has let go, made anew afterwards", async () => {
  const closed: string[] = [];
  const pool = new SharedPool<string>(async (value) => void closed.push(value));
  let made = 0;
  const make = (): string => `value ${(made += 1)}`;
  const first = pool.acquire("a", "one", make);
  const second = pool.acquire("a", "two", make);
  const other = pool.acquire("b", "one", make);
  assert.equal(first.value, second.value);
  assert.notEqual(first.value, other.value);
  await first.release();
  await first.release();
  assert.deepEqual(closed, [], "let go twice by one is once");
  await second.release();
  assert.deepEqual(closed, ["value 1"]);
  assert.equal(pool.acquire("a", "one", make).value, "value 3");
  assert.equal(pool.size, 2);
});

test("it knows who uses it, up to its end", async () => {
  const last: string[][] = [];
  const pool = new SharedPool<Users>(async (users) => void last.push([...users()]));
  const uses = ["two", "one", "two"].map((user) => pool.acquire("a", user, (users) => users));
  const users = uses[0]!.value;
  assert.deepEqual(users(), ["one", "two"]);
  await uses[0]?.release();
  assert.deepEqual(users(), ["one", "two"], "one of them uses it twice");
  await uses[1]?.release();
  assert.deepEqual(users(), ["two"]);
  await uses[2]?.release();
  assert.deepEqual(last, [["two"]]);
});
