import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "@kafkaproxy/proxy";
import { readResource } from "../api/index.ts";
import { desired } from "../desired/index.ts";
import { kafkaSettings } from "./connections.ts";

const resource = (tls: object) =>
  readResource({
    apiVersion: "kafkaproxy.dev/v1alpha1",
    kind: "KafkaProxy",
    metadata: { name: "orders", namespace: "shop" },
    spec: {
      topic: "orders",
      consumerGroup: "billing",
      kafka: { bootstrapServers: ["kafka:9092"], tls },
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
