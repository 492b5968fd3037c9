import assert from "node:assert/strict";
import { test } from "node:test";
import { execute, type ExecMessage } from "./execute.ts";

const message: ExecMessage = {
  msgId: "orders:3:17",
  topic: "orders",
  partition: 3,
  offset: 17,
  attempt: 2,
  timestamp: new Date(0),
  key: Buffer.from("k\0ey"),
  value: Buffer.from("payload"),
};

const never = new AbortController().signal;

test("the payload is on standard input, the rest in the environment", async () => {
  const check = `test "$(cat)" = payload && test "$KAFKAPROXY_MSG_ID/$KAFKAPROXY_ATTEMPT/$KAFKAPROXY_KEY" = orders:3:17/2/key`;
  assert.deepEqual(await execute(check, message, never), { code: 0, signal: null });
});

test("the exit code comes back, also when a large input is not read", async () => {
  const large = { ...message, value: Buffer.alloc(1 << 20) };
  assert.deepEqual(await execute("exit 7", large, never), { code: 7, signal: null });
});

test("a lost lease ends the command", async () => {
  const lost = new AbortController();
  const ended = execute("exec sleep 60", message, lost.signal);
  lost.abort();
  assert.deepEqual(await ended, { code: null, signal: "SIGTERM" });
});

test("a tombstone is told from an empty value", async () => {
  const tombstone = { ...message, value: null };
  assert.equal((await execute('test "$KAFKAPROXY_TOMBSTONE" = 1', tombstone, never)).code, 0);
  const empty = { ...message, value: Buffer.alloc(0) };
  assert.equal((await execute('test -z "$KAFKAPROXY_TOMBSTONE"', empty, never)).code, 0);
});
