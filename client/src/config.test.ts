import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { ClientError } from "./client-error.ts";
import { type ConnectOptions, readConfig } from "./config.ts";

const needed = { zookeeper: "zk:2181", topic: "orders", consumerGroup: "billing" };

function problemsOf(options: ConnectOptions, environment: Record<string, string> = {}): string[] {
  try {
    readConfig(options, environment, "me");
  } catch (error) {
    assert.equal((error as ClientError).code, "bad-config");
    return (error as ClientError).message.split("\n- ").slice(1);
  }
  return [];
}

test("the environment alone is enough, and options win over it", () => {
  const environment = {
    KAFKAPROXY_ZOOKEEPER: "zk:2181,zk2:2181",
    KAFKAPROXY_NAMESPACE: "shop",
    KAFKAPROXY_TOPIC: "orders",
    KAFKAPROXY_CONSUMER_GROUP: "billing",
    KAFKAPROXY_ROOT: "/proxies/",
    KAFKAPROXY_TOKEN: "secret",
    KAFKAPROXY_MODE: "push",
    KAFKAPROXY_ZOOKEEPER_AUTH: "user:password",
    KAFKAPROXY_CONNECT_TIMEOUT_MS: "500",
    KAFKAPROXY_TLS: "true",
  };
  const config = readConfig({}, environment, "me");
  assert.deepEqual(config.source, { kind: "zookeeper", servers: "zk:2181,zk2:2181" });
  assert.deepEqual(
    [config.namespace, config.topic, config.consumerGroup, config.root, config.mode],
    ["shop", "orders", "billing", "/proxies", "push"],
  );
  assert.equal(config.token(), "secret");
  assert.equal(config.connectTimeoutMs, 500);
  assert.equal(config.clientName, "me");
  assert.deepEqual(config.tls, {});
  assert.deepEqual(config.zookeeperAuth, { scheme: "digest", credentials: "user:password" });

  const given = readConfig(
    { proxies: ["10.0.0.1:1", "[::1]:2"], mode: "pull", token: () => "other" },
    environment,
    "me",
  );
  assert.deepEqual(given.source, {
    kind: "fixed",
    proxies: [
      { host: "10.0.0.1", port: 1 },
      { host: "::1", port: 2 },
    ],
  });
  assert.equal(given.mode, "pull");
  assert.equal(given.token(), "other");
});

test("a token file is read at every use", () => {
  const folder = mkdtempSync(join(tmpdir(), "kafkaproxy-client-"));
  const tokenFile = join(folder, "token");
  const config = readConfig({ ...needed, tokenFile }, { KAFKAPROXY_TOKEN: "ignored" }, "me");
  for (const token of ["one", "two"]) {
    writeFileSync(tokenFile, `${token}\n`);
    assert.equal(config.token(), token);
  }
  rmSync(folder, { recursive: true });
});

test("every problem is named at once, with what was found and what is allowed", () => {
  const problems = problemsOf(
    { proxies: ["a", "b:0"], token: "t", tokenFile: "f", connectTimeoutMs: -1, root: "x" },
    { KAFKAPROXY_MODE: "sideways", KAFKAPROXY_TLS: "maybe", KAFKAPROXY_ZOOKEEPER_AUTH: "secret" },
  );
  const keys = problems.map((problem) => problem.split(":")[0]);
  assert.deepEqual(
    new Set(keys),
    new Set([
      "connectTimeoutMs",
      "consumerGroup",
      "mode",
      "proxies",
      "proxies",
      "root",
      "tls",
      "token, tokenFile",
      "topic",
      "zookeeperAuth",
    ]),
  );
  assert.equal(keys.length, 10);
  assert.ok(problems.every((problem) => /allowed is|not given/.test(problem)));
  assert.ok(!problems.join().includes("secret"), "a secret is not repeated");
  assert.match(problemsOf({ topic: "t", consumerGroup: "g" })[0] ?? "", /KAFKAPROXY_ZOOKEEPER/);
  assert.match(problemsOf({ ...needed, zookeeper: "zk:x" })[0] ?? "", /host:port/);
  assert.match(problemsOf({ ...needed, proxies: ["a:1"] })[0] ?? "", /both are given/);
  assert.deepEqual(problemsOf(needed), []);
});
