import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CliError } from "../cli-error.ts";
import { proxySettings, readResources } from "./resource.ts";

const example = join(import.meta.dirname, "../../../examples/kafkaproxy.yaml");

test("the example is read, and each ordinal gets its own configuration", () => {
  const [resource, ...others] = readResources(readFileSync(example, "utf8"), example);
  assert.ok(resource);
  assert.equal(others.length, 0);
  assert.equal(resource.name, "orders");
  const settings = proxySettings(resource, 1);
  assert.equal(settings["instance"], "orders-1");
  assert.equal(settings["ordinal"], 1);
  assert.equal(settings["replicas"], 2);
  assert.equal(settings["namespace"], "shop");
  assert.equal(settings["topic"], "orders");
});

test("every problem is said at once, with key, found and file", () => {
  const text = [
    "apiVersion: kafkaproxy.dev/v1",
    "kind: KafkaProxy",
    "metadata: { name: Orders }",
    "spec: { replicas: many }",
  ].join("\n");
  assert.throws(
    () => readResources(text, "bad.yaml"),
    (error: unknown) => {
      assert.ok(error instanceof CliError);
      assert.equal(error.exitCode, 2);
      assert.match(error.message, /bad\.yaml/u);
      assert.match(error.message, /apiVersion: found "kafkaproxy\.dev\/v1"/u);
      assert.match(error.message, /metadata\.name: found "Orders"/u);
      assert.match(error.message, /spec\.replicas: found "many"/u);
      return true;
    },
  );
});

test("what only Kubernetes has is passed over, and said where it matters", () => {
  const text = readFileSync(example, "utf8").replace(
    "kafka:\n",
    `listener: { tls: { name: orders-tls } }
  podMonitor: { enabled: true }
  pod: { nodeSelector: { disk: ssd } }
  kafka:
    sasl: { mechanism: plain, username: orders, passwordSecret: { name: login } }
`,
  );
  assert.throws(
    () => readResources(text, "login.yaml", {}),
    /spec\.kafka\.sasl\.passwordSecret: .* set KAFKAPROXY_KAFKA_SASL_PASSWORD$/u,
  );
  const [resource] = readResources(text, "login.yaml", { KAFKAPROXY_KAFKA_SASL_PASSWORD: "x" });
  assert.deepEqual(resource?.notes, [
    "spec.listener.tls is for Kubernetes; here workers connect over loopback without TLS",
  ]);
  const { listener } = resource.settings as { listener: object };
  assert.equal("tls" in listener, false);
});

test("what the proxy would refuse, and a name twice, are said too", () => {
  const text = readFileSync(example, "utf8").replace("ackTimeout: 3s", "ackTimeout: 45m");
  assert.throws(
    () => readResources(`${text}\n---\n${text}`, "two.yaml"),
    /metadata\.name: found orders twice in namespace shop\n.*spec\.delivery\.ackTimeout: found 2700000; allowed: at most 1800000/u,
  );
});

test("other kinds are passed over; a file without a KafkaProxy says so", () => {
  const text = readFileSync(example, "utf8");
  assert.equal(readResources(`kind: Secret\n---\n${text}`, "two.yaml").length, 1);
  assert.throws(() => readResources("kind: Secret\n", "none.yaml"), /no resource of kind/u);
  assert.throws(() => readResources("a: [", "broken.yaml"), /broken\.yaml/u);
});
