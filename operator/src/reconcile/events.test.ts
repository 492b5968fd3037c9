import assert from "node:assert/strict";
import { test } from "node:test";
import type { Condition, ConditionType, KafkaProxyStatus } from "../api/index.ts";
import { eventsOf } from "./events.ts";

function status(...held: [ConditionType, string][]): KafkaProxyStatus {
  return {
    conditions: held.map(
      ([type, reason]): Condition => ({
        type,
        status: "True",
        observedGeneration: 1,
        lastTransitionTime: "2026-01-01T00:00:00Z",
        reason,
        message: `${reason}.`,
      }),
    ),
  };
}

const reasons = (...given: Parameters<typeof eventsOf>): string[] =>
  eventsOf(...given).map(({ type, reason, message }) => `${type} ${reason}: ${message}`);

test("made, then scaled", () => {
  assert.deepEqual(reasons(undefined, status(), { from: undefined, to: 1 }), [
    "Normal Created: Created 1 proxy.",
  ]);
  assert.deepEqual(reasons(status(), status(), { from: 1, to: 3 }), [
    "Normal Scaled: Scaled from 1 to 3 proxies.",
  ]);
  assert.deepEqual(reasons(status(), status(), undefined), []);
});

test("what is wrong is told when it begins, and again when it is something else", () => {
  const missing = status(["Degraded", "TopicNotFound"]);
  assert.deepEqual(reasons(undefined, missing, undefined), [
    "Warning TopicNotFound: TopicNotFound.",
  ]);
  assert.deepEqual(reasons(missing, missing, undefined), []);
  assert.deepEqual(reasons(missing, status(["Degraded", "KafkaUnreachable"]), undefined), [
    "Warning KafkaUnreachable: KafkaUnreachable.",
  ]);
  assert.deepEqual(reasons(missing, status(), undefined), []);
});

test("capped", () => {
  const capped = status(["ReplicasCapped", "MoreThanPartitions"]);
  assert.deepEqual(reasons(status(), capped, undefined), ["Warning Capped: MoreThanPartitions."]);
});
