import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseSettings, settingsSchema } from "@kafkaproxy/proxy";
import * as fc from "fast-check";
import { commonSettings, parseResource, readResource, ResourceError } from "./index.ts";

const example = join(import.meta.dirname, "../../../examples/kafkaproxy.yaml");

const smallest = {
  apiVersion: "kafkaproxy.dev/v1alpha1",
  kind: "KafkaProxy",
  metadata: { name: "orders", namespace: "shop" },
  spec: {
    topic: "orders",
    consumerGroup: "billing",
    kafka: { bootstrapServers: ["kafka:9092"] },
    zookeeper: { servers: ["zk:2181"] },
  },
};

const machine = { hostname: "orders-0", address: "192.0.2.1" };

function refused(object: unknown): readonly string[] {
  try {
    readResource(object);
  } catch (error) {
    assert.ok(error instanceof ResourceError);
    assert.equal(error.code, "invalid");
    return error.problems;
  }
  return assert.fail("taken");
}

test("the example is read, with its defaults", () => {
  const [resource, ...others] = parseResource(readFileSync(example, "utf8"), example);
  assert.equal(others.length, 0);
  assert.equal(resource?.metadata.name, "orders");
  assert.equal(resource.spec.replicas, 2);
  assert.equal(resource.spec.zookeeper.root, "/kafkaproxy");
  assert.equal(resource.spec.podDisruptionBudget.enabled, true);
});

test("all problems come at once, each with field, found and allowed", () => {
  const { spec } = smallest;
  assert.deepEqual(
    refused({
      ...smallest,
      apiVersion: "kafkaproxy.dev/v1",
      metadata: { name: "Orders" },
      spec: {
        ...spec,
        replicas: "many",
        topic: undefined,
        kafka: { bootstrapServers: ["kafka"], sessionTimout: "5s" },
        zookeeper: "zk:2181",
        queue: { maxBytes: "16MiB" },
        delivery: { ackTimeout: 3000 },
      },
    }),
    [
      'apiVersion: found "kafkaproxy.dev/v1"; must be kafkaproxy.dev/v1alpha1',
      'metadata.name: found "Orders"; must be a small letter, then small letters, digits and hyphens, 52 characters at most, no hyphen at the end: Service and pods are named after it',
      "spec.topic: found nothing; must be 1 to 249 letters, digits, dots, underscores and hyphens, but not . or ..",
      'spec.replicas: found "many"; must be a whole number from 0 to 1000',
      'spec.kafka.bootstrapServers.0: found "kafka"; must be host:port, such as kafka-1:9092',
      "spec.kafka.sessionTimout: is unknown; known here are bootstrapServers, offsetReset, sessionTimeout, heartbeatInterval, rebalanceTimeout, requestTimeout, fetchWait, fetchMaxBytes, metadataRefresh, tls, sasl",
      'spec.zookeeper: found "zk:2181"; must be an object with the keys servers, sessionTimeout, root, auth',
      'spec.queue.maxBytes: found "16MiB"; must be a size from 64Ki to 64Gi, such as 16Mi',
      "spec.delivery.ackTimeout: found 3000; must be a duration from 100ms to 1h, such as 500ms or 3s",
    ],
  );
  assert.deepEqual(refused(null).length, 1);
});

const codeOf = (written: string): unknown => {
  try {
    return parseResource(written, "file.yaml");
  } catch (error) {
    assert.ok(error instanceof ResourceError && error.message.startsWith("file.yaml:\n"));
    return error.code;
  }
};

test("other kinds are passed over; what is no YAML, or has none, says so", () => {
  const text = readFileSync(example, "utf8");
  assert.equal(parseResource(`kind: Secret\n---\n${text}---\n${text}`, "three.yaml").length, 2);
  assert.equal(codeOf("kind: Secret\n"), "none");
  assert.equal(codeOf("a: ["), "not-yaml");
  assert.equal(codeOf("kind: KafkaProxy\n"), "invalid");
});

test("with several in a file each problem names its resource", () => {
  const text = JSON.stringify({ ...smallest, spec: { ...smallest.spec, replicas: -1 } });
  assert.throws(
    () => parseResource(`${text}\n---\n${JSON.stringify(smallest)}`, "two.yaml"),
    /\n {2}shop\/orders: spec\.replicas: found -1; must be a whole number from 0 to 1000$/u,
  );
});

test("reading what was read changes nothing", () => {
  const once = readResource(smallest);
  assert.deepEqual(readResource(once), once);
});

test("nothing but the topic and addresses is the proxy's own default configuration", () => {
  const { topic, consumerGroup, kafka, zookeeper } = smallest.spec;
  const ours = parseSettings(commonSettings(readResource(smallest)), {}, "resource", machine);
  const theirs = parseSettings(
    { namespace: "shop", topic, consumerGroup, kafka, zookeeper },
    {},
    "file",
    machine,
  );
  assert.deepEqual(ours, theirs);
});

const unit = fc.constantFrom("ms", "s", "m", "h");
const decimal = fc.oneof(
  fc.nat(120).map(String),
  fc.tuple(fc.nat(120), fc.nat(999)).map(([whole, part]) => `${whole}.${part}`),
);
const written = fc.oneof(
  fc.array(fc.tuple(decimal, unit), { maxLength: 3 }).map((parts) => parts.flat().join("")),
  fc
    .tuple(decimal, fc.constantFrom("", "k", "M", "G", "Ki", "Mi", "Gi", "MiB", "m"))
    .map((parts) => parts.join("")),
  fc.nat(2 ** 31),
);

test("a duration or a size that the resource takes is the same to the proxy", () => {
  const { delivery, queue } = settingsSchema.shape;
  fc.assert(
    fc.property(written, (value) => {
      for (const [section, key, theirs] of [
        ["delivery", "ackTimeout", delivery.unwrap().shape.ackTimeout],
        ["queue", "maxBytes", queue.unwrap().shape.maxBytes],
      ] as const) {
        const object = { ...smallest, spec: { ...smallest.spec, [section]: { [key]: value } } };
        try {
          readResource(object);
        } catch (error) {
          assert.ok(error instanceof ResourceError);
          continue;
        }
        assert.equal(theirs.safeParse(value).success, true, `${section}.${key}: ${value}`);
      }
    }),
    { numRuns: 500 },
  );
});

test("TLS to Kafka stays on where only Secrets say that it is wanted", () => {
  const spec = {
    ...smallest.spec,
    kafka: { ...smallest.spec.kafka, tls: { caSecret: { name: "ca" } } },
  };
  const settings = commonSettings(readResource({ ...smallest, spec }));
  assert.deepEqual(settings.kafka.tls, { enabled: true, insecureSkipVerify: false });
});
