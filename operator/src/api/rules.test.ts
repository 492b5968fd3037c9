import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigError, parseSettings, ruleNames } from "@kafkaproxy/proxy";
import { parse } from "yaml";
import { commonSettings, readResource } from "./index.ts";
import { deliveryRules, kafkaRules, specRules } from "./rules.ts";

/** Files under testdata/invalid that break the rule, or why a resource can't break it. */
const counterparts: Readonly<Record<string, readonly string[] | { readonly why: string }>> = {
  requestTimeout: ["request-timeout-too-long.yaml"],
  heartbeatInterval: ["heartbeat-too-slow.yaml"],
  fetchWait: ["fetch-wait-too-long.yaml", "fetch-wait-above-request-timeout.yaml"],
  ackTimeout: ["ack-longer-than-processing.yaml"],
  backoff: ["backoff-begins-above-its-end.yaml"],
  frameFitsOutbound: ["frame-too-large-for-outbound.yaml", "pull-too-large-for-outbound.yaml"],
  frameHoldsPull: ["frame-smaller-than-pull.yaml"],
  deadLetterTopicDiffers: ["dead-letter-topic-is-the-topic.yaml"],
  deadLetterTopicLength: ["topic-too-long-for-dlq.yaml"],
  kafkaClientCertificate: { why: "spec.kafka.tls.clientSecret gives both files" },
  kafkaPassword: { why: "spec.kafka.sasl.passwordSecret is required" },
  zooKeeperPassword: { why: "spec.zookeeper.auth.passwordSecret is required" },
};

const machine = { hostname: "orders-0", address: "192.0.2.1" };

test("each rule of the proxy has its counterpart in the CRD, or a reason for having none", () => {
  assert.deepEqual(Object.keys(counterparts), ruleNames);
});

const messages = [...kafkaRules, ...deliveryRules, ...specRules].map(({ message }) => message);

for (const [name, files] of Object.entries(counterparts)) {
  if (!Array.isArray(files)) continue;
  for (const file of files as readonly string[]) {
    test(`${name}: ${file} is refused by the API server for a rule of ours, and by the proxy alone for one thing`, () => {
      const text = readFileSync(join(import.meta.dirname, "testdata/invalid", file), "utf8");
      const [words = ""] = text.split("\n");
      // What stands there is what a real API server said: resource.real.test.ts holds that.
      assert.ok(
        messages.some((message) => words.endsWith(message)),
        words,
      );
      const settings = commonSettings(readResource(parse(text)));
      assert.throws(
        () => parseSettings(settings, {}, file, machine),
        (error) => error instanceof ConfigError && error.problems.length === 1,
      );
    });
  }
}
