import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "@kafkaproxy/proxy";
import { readResource } from "../api/index.ts";
import { desired } from "../desired/index.ts";
import { quiet } from "../runtime/test-api.ts";
import { ConnectionPool, kafkaSettings } from "./connections.ts";

const resource = (tls: object, name = "orders", bootstrapServers = ["kafka:9092"]) =>
  readResource({
    apiVersion: "kafkaproxy.dev/v1alpha1",
    kind: "KafkaProxy",
    metadata: { name, namespace: "shop" },
    spec: {
      topic: "orders",
      consumerGroup: "billing",
      kafka: { bootstrapServers, tls },
      zookeeper: { servers: ["zk:2181"] },
    },
  });

/** The configuration file that its proxies read. */
function proxyFile(tls: object): string {
  const { objects } = desired(resource(tls), {
    image: "kafka-proxy",
    partitions: 1,
    running: undefined,
    secrets: { hash: "", problems: [] },
    podMonitors: false,
  });
  const texts = objects.flatMap((object) => Object.values((object["data"] as object) ?? {}));
  return texts.find((text) => String(text).startsWith("namespace:")) as string;
}

for (const [tls, wanted] of [
  [{}, false],
  [{ serverName: "kafka.example" }, true],
  [{ insecureSkipVerify: true }, true],
  [{ insecureSkipVerify: false }, false],
  [{ caSecret: { name: "ca" } }, true],
  [{ clientSecret: { name: "client" } }, true],
  [{ enabled: true }, true],
  [{ enabled: false, serverName: "kafka.example", caSecret: { name: "ca" } }, false],
] as const) {
  test(`with tls ${JSON.stringify(tls)} operator and proxies both speak ${wanted ? "TLS" : "plain text"}`, () => {
    const ours = kafkaSettings(resource(tls).spec, {}).tls;
    assert.equal(ours !== undefined, wanted);
    const config = parseConfig({ text: proxyFile(tls), format: "yaml" }, {});
    assert.equal(config.kafka.tls !== undefined, wanted);
    assert.equal(
      ours?.rejectUnauthorized ?? true,
      !(config.kafka.tls?.insecureSkipVerify ?? false),
    );
  });
}

test("what a connection says names the resources that share it", async (context) => {
  const said: { resources?: unknown }[] = [];
  const pool = new ConnectionPool({ ...quiet, debug: (fields) => said.push(fields) });
  // Nothing listens there.
  const uses = ["orders", "clicks"].map((name) =>
    pool.acquire(resource({}, name, ["127.0.0.1:9"]), {}),
  );
  context.after(() => Promise.all(uses.map((one) => one.release())));
  await assert.rejects(uses[0]!.partitions(), { code: "unreachable" });
  assert.notEqual(said.length, 0);
  for (const { resources } of said) assert.deepEqual(resources, ["shop/clicks", "shop/orders"]);
});
