/** The CRD on a real API server: what it takes, fills in and refuses, and with which words. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse, stringify } from "yaml";
import {
  type ControlPlane,
  startControlPlane,
  untilServed,
} from "../../../test/servers/kubernetes/index.ts";
import { crdYaml, type KafkaProxy, readResource } from "./index.ts";

const invalid = join(import.meta.dirname, "testdata/invalid");
const golden = join(import.meta.dirname, "../desired/testdata");

/** One file: the resource, and the words by which it is refused, as comments at its top. */
function readCase(file: string): { readonly words: string; readonly manifest: string } {
  const lines = readFileSync(join(invalid, file), "utf8").split("\n");
  const comments = lines.filter((line) => line.startsWith("# "));
  return {
    words: comments.map((line) => line.slice(2)).join("\n"),
    manifest: lines.filter((line) => !line.startsWith("# ")).join("\n"),
  };
}

describe("the CRD on a real API server", () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane();
    await cluster.apply(crdYaml());
    for (const namespace of ["shop", "web"]) await succeeds("create", "namespace", namespace);
    await untilServed(cluster, "kafkaproxies.kafkaproxy.dev");
  });
  after(() => cluster.stop());

  async function succeeds(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await cluster.kubectl(...args);
    assert.equal(exitCode, 0, stderr);
    return stdout;
  }

  /** What kubectl says when the manifest is refused. */
  async function refusal(manifest: string): Promise<string> {
    try {
      await cluster.apply(manifest);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      return plain(text);
    }
    return assert.fail(`taken:\n${manifest}`);
  }

  /** By `kubectl apply -f`, whose patch the API server reads otherwise: the same words, or others about the same field. */
  async function refusedPlainly(manifest: string, words: string): Promise<void> {
    const { exitCode, stderr } = await cluster.kubectlWithInput(manifest, "apply", "-f", "-");
    assert.notEqual(exitCode, 0, `taken:\n${manifest}`);
    const field = /^Error from server: failed to create typed patch object .*?: \.(\S+?): /u.exec(
      words,
    )?.[1];
    if (field === undefined) assert.equal(plain(stderr.trim()), words);
    else assert.ok(stderr.includes(field), `no ${field} in: ${stderr}`);
  }

  it("says nothing about non-structural parts or costs", async () => {
    const crd = JSON.parse(
      await succeeds("get", "crd", "kafkaproxies.kafkaproxy.dev", "-o", "json"),
    );
    const conditions: { type: string; status: string }[] = crd.status.conditions;
    assert.deepEqual(
      conditions.filter(({ type }) => type === "NonStructuralSchema"),
      [],
    );
  });

  for (const name of readdirSync(golden)) {
    it(`takes ${name} and fills in the defaults that we do`, async () => {
      const [written = ""] = readFileSync(join(golden, name, "in.yaml"), "utf8").split("\n---\n");
      const ours = readResource(parse(written));
      const { name: own, namespace } = ours.metadata;
      await cluster.apply(
        stringify({ ...ours, metadata: { name: own, namespace }, spec: parse(written).spec }),
      );
      const text = await succeeds("get", "kpx", "-n", namespace, own, "-o", "json");
      const found = JSON.parse(text) as KafkaProxy;
      assert.deepEqual(found.spec, ours.spec);
      assert.deepEqual(readResource(found).spec, ours.spec);
      await succeeds("delete", "kpx", "-n", namespace, own);
    });
  }

  it("takes the example", async () => {
    const file = join(import.meta.dirname, "../../../examples/kafkaproxy.yaml");
    await cluster.apply(readFileSync(file, "utf8"));
    await succeeds("delete", "kpx", "-n", "shop", "orders");
  });

  for (const file of readdirSync(invalid)) {
    it(`refuses ${file}`, async () => {
      const { words, manifest } = readCase(file);
      const found = await refusal(manifest);
      if (process.env["UPDATE"] === "1") {
        const comments = found.split("\n").map((line) => `# ${line}\n`);
        writeFileSync(join(invalid, file), `${comments.join("")}${manifest}`);
        return;
      }
      assert.equal(found, words);
      await refusedPlainly(manifest, words);
    });
  }

  it("keeps topic, group and root as they are", async () => {
    const { manifest } = readCase("replicas-too-many.yaml");
    const resource = parse(manifest) as { spec: Record<string, unknown> & { zookeeper: object } };
    resource.spec["replicas"] = 1;
    await cluster.apply(stringify(resource));
    const change = (spec: object) =>
      stringify({ ...resource, spec: { ...resource.spec, ...spec } });
    for (const [spec, field] of [
      [{ topic: "other" }, "spec.topic"],
      [{ consumerGroup: "other" }, "spec.consumerGroup"],
      [{ zookeeper: { ...resource.spec.zookeeper, root: "/other" } }, "spec.zookeeper.root"],
    ] as const) {
      const words = `${field} can't be changed: what is under way belongs to it. Make another KafkaProxy.`;
      const found = await refusal(change(spec));
      assert.ok(found.includes(`${field}: Invalid value:`) && found.includes(words), found);
    }
    await cluster.apply(change({ replicas: 3, paused: true }));
  });

  it("scales, and shows its columns", async () => {
    await succeeds("scale", "kpx", "-n", "shop", "orders", "--replicas=5");
    const patch = {
      status: {
        replicas: 4,
        selector: "app.kubernetes.io/instance=orders",
        lag: { messages: 123 },
        deadLetters: { retained: 6 },
      },
    };
    const merge = ["--subresource=status", "--type=merge", "-p", JSON.stringify(patch)];
    await succeeds("patch", "kpx", "-n", "shop", "orders", ...merge);
    const [head, row] = (await succeeds("get", "kpx", "-n", "shop")).trim().split("\n");
    assert.match(head ?? "", /^NAME +TOPIC +GROUP +READY +REPLICAS +LAG +DEAD +AGE$/u);
    assert.match(row ?? "", /^orders +orders +billing +4 +123 +6 /u);
    const scale = await succeeds("get", "--raw", `${path}/orders/scale`);
    assert.deepEqual(JSON.parse(scale).spec, { replicas: 5 });
    assert.equal(JSON.parse(scale).status.selector, "app.kubernetes.io/instance=orders");
  });

  it("explains each field", async () => {
    const text = await succeeds("explain", "kpx.spec.delivery.ackTimeout");
    assert.match(text, /A delivery is lost when neither an ack nor a renewal comes/u);
  });
});

const path = "/apis/kafkaproxy.dev/v1alpha1/namespaces/shop/kafkaproxies";

const compare = (one: string, other: string): number => (one < other ? -1 : Number(one > other));

/** What the API server said, line by line in a fixed order. */
function plain(text: string): string {
  return (
    text
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "")
      // The API server tells them in another order each time.
      .sort(
        (one, other) =>
          Number(one.startsWith("*")) - Number(other.startsWith("*")) || compare(one, other),
      )
      .join("\n")
  );
}
