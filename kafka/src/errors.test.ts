import assert from "node:assert/strict";
import { test } from "node:test";
import { KafkaError } from "./errors.ts";

test("a broker's answer has a code, says what was asked, and whether to try again", () => {
  const error = KafkaError.fromProtocol(25, "commit of group g, topic t, partition 3");
  assert.equal(error.code, "fenced");
  assert.equal(error.retriable, false);
  assert.equal(error.kafkaCode, 25);
  assert.equal(
    error.message,
    "commit of group g, topic t, partition 3: the broker answered UNKNOWN_MEMBER_ID (25)",
  );
  assert.equal(KafkaError.fromProtocol(6, "fetch").retriable, true);
});

test("a code that is not known keeps its number", () => {
  const error = KafkaError.fromProtocol(12_345, "join");
  assert.deepEqual(
    [error.code, error.kafkaCode, error.retriable],
    ["unknown-broker-error", 12_345, false],
  );
});

test("retriable follows the code unless said otherwise, and the cause is kept", () => {
  const cause = new Error("socket");
  assert.equal(new KafkaError("unreachable", "no broker", { cause }).cause, cause);
  assert.equal(new KafkaError("unreachable", "no broker").retriable, true);
  assert.equal(new KafkaError("timeout", "late", { retriable: false }).retriable, false);
  assert.equal(new KafkaError("corrupt-batch", "bad").retriable, false);
});
