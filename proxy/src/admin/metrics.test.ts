import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Dispatch } from "../dispatch/index.ts";
import { testOptions } from "../dispatch/test-harness.ts";
import { Metrics } from "./metrics.ts";
import { metricsReference } from "./metrics-reference.ts";
import { type MetricsSources, metricsTable } from "./metrics-table.ts";

const partition = {
  partition: 3,
  lag: 12,
  ready: 1,
  inFlight: 2,
  delayed: 3,
  dying: 4,
  uncovered: 5,
  windowBytes: 6,
  stillMs: 1_500,
  stuck: true,
  oldestUnsettled: { ageMs: 2_500 },
};

const sources: MetricsSources = {
  status: {
    state: "serving",
    readiness: { ready: true },
    connections: 7,
    partitions: [partition],
    workers: [{ connected: true }, { connected: false }],
  },
  dispatch: new Dispatch(testOptions, { dead() {}, commitWanted() {}, intake() {} }).counters,
  listener: { counters: { accepted: 9, failed: { "too-slow": 2 } }, outboundBytes: 100 },
};

const labels = { topic: "orders", group: "billing" };

test("states are read at the scrape, and what has gone is gone", async () => {
  let now = sources;
  const metrics = new Metrics({ labels, sources: () => now });
  metrics.committed(30, true);
  metrics.rebalanced();
  metrics.fenced();
  metrics.expired(3);
  metrics.expired(4);
  metrics.deadLettered("rejected");
  for (const _ of [1, 2]) {
    const text = await metrics.text();
    const value = (name: string): string | undefined =>
      text
        .split("\n")
        .find((line) => line.startsWith(name))
        ?.split(" ")
        .at(-1);
    assert.equal(value('kafkaproxy_partition_lag_messages{partition="3",topic="orders"'), "12");
    assert.equal(value("kafkaproxy_partition_watermark_still_seconds{"), "1.5");
    assert.equal(value("kafkaproxy_connections{"), "7");
    assert.equal(value('kafkaproxy_connections_failed_total{code="too-slow"'), "2");
    assert.equal(value('kafkaproxy_dead_letters_total{disposition="rejected"'), "1");
    assert.equal(value("kafkaproxy_commit_duration_seconds_count{"), "1");
    assert.equal(value('kafkaproxy_state{state="serving"'), "1");
    assert.equal(value('kafkaproxy_state{state="failed"'), "0");
    assert.equal(value("kafkaproxy_rebalances_total{"), "1");
    assert.equal(value("kafkaproxy_messages_expired_total{"), "7");
    assert.equal(value("kafkaproxy_deliveries_total{"), "0");
    assert.match(text, /^nodejs_eventloop_lag_seconds\{/m);
  }
  now = { ...sources, status: { ...sources.status, partitions: [] } };
  assert.doesNotMatch(await metrics.text(), /partition="3"/);
});

test("two proxies in one process do not share them", async () => {
  const [one, other] = [
    new Metrics({ labels, sources: () => sources }),
    new Metrics({ labels, sources: () => sources }),
  ];
  one.rebalanced();
  assert.match(await other.text(), /^kafkaproxy_rebalances_total\{.*\} 0$/m);
});

test("names follow Prometheus' conventions", () => {
  for (const { name, type, help } of metricsTable) {
    assert.match(name, /^kafkaproxy_[a-z_]+$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.doesNotMatch(name, /_ms$|_millis/);
    assert.match(help, /\.$/);
  }
  assert.equal(new Set(metricsTable.map(({ name }) => name)).size, metricsTable.length);
});

test("docs/metrics.md is what the table says (make docs writes it)", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/metrics.md"), "utf8");
  assert.equal(page, metricsReference());
});
