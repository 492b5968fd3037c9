import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection } from "./kafkajs.ts";
import { unconnected } from "./test-connection.ts";
import { until } from "./test-until.ts";
import { stopIdleThrottleCheck } from "./throttle.ts";

function throttled(untilMs: number): { connection: Connection; sent: number[] } {
  const connection = unconnected();
  stopIdleThrottleCheck(connection);
  connection.requestQueue.throttledUntil = untilMs;
  return { connection, sent: [] };
}

test("what is throttled goes out when it may, in order, and then no timer is left", async () => {
  const mayGoAt = Date.now() + 60;
  const { connection, sent } = throttled(mayGoAt);
  const queue = connection.requestQueue;
  for (const correlationId of [1, 2]) {
    queue.push({
      entry: {
        apiKey: 0,
        apiName: "Test",
        apiVersion: 0,
        correlationId,
        resolve: () => undefined,
        reject: () => undefined,
      },
      expectResponse: true,
      requestTimeout: null,
      sendRequest: () => sent.push(correlationId),
    });
  }
  assert.equal(queue.pending.length, 2);
  await until("both are sent", () => sent.length === 2);
  assert.ok(Date.now() >= mayGoAt);
  assert.deepEqual(sent, [1, 2]);
  assert.equal(queue.throttleCheckTimeoutId, null);
});

test("while nothing waits nothing is asked", () => {
  const { connection } = throttled(-1);
  connection.requestQueue.checkPendingRequests();
  assert.equal(connection.requestQueue.throttleCheckTimeoutId, null);
});
