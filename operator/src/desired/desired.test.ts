/** Golden files: testdata/<case>/in.yaml -> out.yaml. With UPDATE=1 in the environment out.yaml is written. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ConfigError } from "@kafkaproxy/proxy";
import { parse, parseAllDocuments, stringify } from "yaml";
import { type KafkaProxy, readResource, ResourceError } from "../api/index.ts";
import { type Desired, desired, type Facts, readSecrets, type SecretObjects } from "./index.ts";

const folder = join(import.meta.dirname, "testdata");

const usual: Omit<Facts, "secrets"> = {
  image: "registry.example/kafka-proxy:1.0.0",
  partitions: 12,
  running: undefined,
  podMonitors: false,
};

interface Given extends Partial<Omit<Facts, "secrets">> {
  readonly secrets?: SecretObjects;
}

/** The resource, and after `---` what differs from the usual facts. */
function read(name: string): { resource: KafkaProxy; facts: Facts; secrets: SecretObjects } {
  const text = readFileSync(join(folder, name, "in.yaml"), "utf8");
  const [written, given] = parseAllDocuments(text).map((each): unknown => each.toJS());
  const resource = readResource(written);
  const { secrets = {}, ...rest } = (given ?? {}) as Given;
  const facts = { ...usual, ...rest, secrets: readSecrets(resource, secrets) };
  return { resource, facts, secrets };
}

function asText({ objects, absent, replicas }: Desired): string {
  const documents = [...objects, { absent, replicas }];
  return documents
    .map((each) => stringify(each, { aliasDuplicateObjects: false, lineWidth: 0 }))
    .join("---\n");
}

for (const name of readdirSync(folder)) {
  test(`golden: ${name}`, () => {
    const { resource, facts } = read(name);
    const found = asText(desired(resource, facts));
    const file = join(folder, name, "out.yaml");
    if (process.env["UPDATE"] === "1") writeFileSync(file, found);
    assert.ok(existsSync(file), `${file} is missing: UPDATE=1 writes it`);
    assert.equal(found, readFileSync(file, "utf8"));
  });
}

const { resource, facts } = read("smallest");
const { resource: secured, facts: securedFacts, secrets: securedSecrets } = read("secured");

interface Pods {
  readonly replicas: number;
  readonly template: unknown;
}

const podsOf = (result: Desired): Pods | undefined =>
  result.objects.find(({ kind }) => kind === "StatefulSet")?.["spec"] as Pods | undefined;

const configOf = (result: Desired): Record<string, unknown> => {
  const map = result.objects.find(
    ({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "orders-proxy",
  );
  const data = map?.["data"] as Record<string, string> | undefined;
  return parse(data?.["proxy.yaml"] ?? "");
};

const changed = (spec: Partial<KafkaProxy["spec"]>, generation = 2): KafkaProxy => ({
  ...resource,
  metadata: { ...resource.metadata, generation },
  spec: { ...resource.spec, ...spec },
});

test("another count of replicas changes no pod, and reaches the group with a higher generation", () => {
  const [before, after] = [desired(resource, facts), desired(changed({ replicas: 5 }), facts)];
  assert.deepEqual(podsOf(after)?.template, podsOf(before)?.template);
  assert.equal(podsOf(after)?.replicas, 5);
  assert.equal(configOf(before)["configGeneration"], 1);
  assert.equal(configOf(after)["configGeneration"], 2);
  assert.equal(configOf(after)["replicas"], 5);
});

test("more partitions, and the pods that were asked for come by themselves", () => {
  const eight = changed({ replicas: 8 });
  const few = desired(eight, { ...facts, partitions: 3 });
  const more = desired(eight, { ...facts, partitions: 20 });
  assert.deepEqual([podsOf(few)?.replicas, podsOf(more)?.replicas], [3, 8]);
  assert.deepEqual(podsOf(few)?.template, podsOf(more)?.template);
});

test("pausing changes the configuration, which running pods follow, and no pod", () => {
  const before = desired(resource, facts);
  const after = desired(changed({ paused: true }), facts);
  assert.deepEqual([configOf(before)["paused"], configOf(after)["paused"]], [false, true]);
  assert.deepEqual(podsOf(after)?.template, podsOf(before)?.template);
});

const grace = (spec: Partial<KafkaProxy["spec"]>) => {
  const template = podsOf(desired(changed(spec), facts))?.template;
  return (template as { spec: { terminationGracePeriodSeconds: number } }).spec
    .terminationGracePeriodSeconds;
};

test("a pod has the time that a drain may take, and what a proxy takes to give Kafka up", () => {
  const slow = { drainTimeout: "60s", kafka: { ...resource.spec.kafka, sessionTimeout: "30s" } };
  assert.deepEqual([grace({}), grace(slow)], [45, 95]);
});

test("any other setting changes the pods", () => {
  const before = podsOf(desired(resource, facts))?.template;
  const { spec } = resource;
  for (const spec2 of [
    { drainTimeout: "31s" },
    { delivery: { ...spec.delivery, ackTimeout: "4s" } },
    { pod: { ...spec.pod, priorityClassName: "high" } },
  ]) {
    const after = podsOf(desired(changed(spec2), facts))?.template;
    assert.notDeepEqual(after, before, JSON.stringify(spec2));
  }
});

test("what is not known of the topic leaves what runs as it is", () => {
  const unknown = { ...facts, partitions: undefined };
  const ofFive = changed({ replicas: 5 });
  assert.equal(podsOf(desired(ofFive, unknown))?.replicas, 0, "nothing runs yet");
  assert.equal(podsOf(desired(ofFive, { ...unknown, running: 3 }))?.replicas, 3);
  const seen = { ...ofFive, status: { partitions: 4 } };
  assert.equal(podsOf(desired(seen, { ...unknown, running: 3 }))?.replicas, 4, "last seen");
});

test("a Secret that was changed or made anew changes the pods; one that the resource does not name does not", () => {
  const template = (name: string, metadata: object): unknown => {
    const made = { metadata: { uid: "u7", resourceVersion: "17" }, ...securedSecrets[name] };
    const changed = { ...made, metadata: { ...made.metadata, ...metadata } };
    const secrets = readSecrets(secured, { ...securedSecrets, [name]: changed });
    return podsOf(desired(secured, { ...securedFacts, secrets }))?.template;
  };
  const before = podsOf(desired(secured, securedFacts))?.template;
  assert.ok(before);
  assert.notDeepEqual(template("payments-tokens", { resourceVersion: "26" }), before);
  assert.notDeepEqual(template("payments-tokens", { uid: "another" }), before);
  assert.deepEqual(template("payments-tokens", {}), before);
  assert.deepEqual(template("of-others", { resourceVersion: "26" }), before);
});

test("nobody who may read pods can try out passwords: no value of a Secret is in their template, hashed or not", () => {
  const { "kafka-login": login, ...others } = securedSecrets;
  const data = { password: Buffer.from("another").toString("base64") };
  const secrets = readSecrets(secured, { ...others, "kafka-login": { ...login!, data } });
  assert.deepEqual(
    podsOf(desired(secured, { ...securedFacts, secrets })),
    podsOf(desired(secured, securedFacts)),
  );
});

test("a missing Secret is named, and what runs is not touched", () => {
  const secrets = readSecrets(secured, { "kafka-login": securedSecrets["kafka-login"] });
  assert.equal(secrets.hash, undefined);
  assert.deepEqual(secrets.problems[0], {
    reason: "SecretMissing",
    found: "spec.kafka.tls.caSecret names Secret shop/kafka-ca, which is not there",
  });
  const result = desired(secured, { ...securedFacts, secrets });
  assert.equal(podsOf(result), undefined);
  assert.deepEqual(
    result.objects.filter(({ kind }) => kind === "ConfigMap").map(({ metadata }) => metadata.name),
    ["payments-client"],
  );
});

test("no secret value is in any object", () => {
  const text = asText(desired(secured, securedFacts));
  assert.doesNotMatch(text, /cGFzcw|pass\b/u);
});

const invalid = join(import.meta.dirname, "../api/testdata/invalid");

for (const file of readdirSync(invalid)) {
  test(`what the API server refuses is refused here too: ${file}`, () => {
    const written: unknown = parse(readFileSync(join(invalid, file), "utf8"));
    assert.throws(
      () => desired(readResource(written), facts),
      (error) => error instanceof ResourceError || error instanceof ConfigError,
    );
  });
}

test("a configuration that the proxy refuses is not applied", () => {
  const { spec } = resource;
  const wrong = changed({ delivery: { ...spec.delivery, ackTimeout: "45m" } });
  assert.throws(() => desired(wrong, facts), ConfigError);
});

const example = (path: string): unknown =>
  parse(readFileSync(join(import.meta.dirname, "../../../examples", path), "utf8"));

test("examples/worker/deployment.yaml takes the ConfigMap of examples/kafkaproxy.yaml, in its namespace", () => {
  const deployment = example("worker/deployment.yaml") as {
    metadata: { namespace: string };
    spec: {
      template: { spec: { containers: [{ envFrom: [{ configMapRef: { name: string } }] }] } };
    };
  };
  const { objects } = desired(readResource(example("kafkaproxy.yaml")), {
    ...usual,
    secrets: { hash: "", problems: [] },
  });
  const { name } = deployment.spec.template.spec.containers[0].envFrom[0].configMapRef;
  const config = objects.find(
    ({ kind, metadata }) => kind === "ConfigMap" && metadata.name === name,
  );
  assert.ok(config);
  const { namespace } = deployment.metadata;
  assert.equal(config.metadata.namespace, namespace);
  assert.equal((config["data"] as Record<string, string>)["KAFKAPROXY_NAMESPACE"], namespace);
});
