import assert from "node:assert/strict";
import { test } from "node:test";
import { KafkaError } from "../errors.ts";
import { backoffMs } from "./backoff.ts";
import { resolveSettings } from "./settings.ts";

test("addresses with names, IPv4 and IPv6", () => {
  const { bootstrap } = resolveSettings({
    bootstrapServers: ["kafka-0.kafka:9092", " 10.0.0.1:1 ", "[::1]:9093"],
  });
  assert.deepEqual(bootstrap, [
    { host: "kafka-0.kafka", port: 9092 },
    { host: "10.0.0.1", port: 1 },
    { host: "::1", port: 9093 },
  ]);
});

test("what cannot work is refused and named", () => {
  for (const bad of [
    [],
    ["kafka"],
    ["kafka:"],
    ["kafka:0"],
    ["kafka:70000"],
    ["::1:9092"],
    ["http://k:1"],
  ]) {
    assert.throws(
      () => resolveSettings({ bootstrapServers: bad }),
      (error) => error instanceof KafkaError && error.code === "bad-arguments",
      String(bad),
    );
  }
  assert.throws(
    () => resolveSettings({ bootstrapServers: ["k:1"], requestTimeoutMs: 0 }),
    /requestTimeoutMs is 0/,
  );
});

test("backoff doubles to its limit, with up to half of it off", () => {
  assert.deepEqual(
    [0, 1, 2, 30].map((attempt) => backoffMs(attempt, {}, () => 0)),
    [50, 100, 200, 2_000],
  );
  assert.equal(
    backoffMs(0, {}, () => 1),
    25,
  );
});
