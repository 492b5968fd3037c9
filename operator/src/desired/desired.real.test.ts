/** What `desired` makes, on a real API server: taken as it is, and the same a second time. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse, parseAllDocuments, stringify } from "yaml";
import {
  type ControlPlane,
  startControlPlane,
  untilServed,
} from "../../../test/servers/kubernetes/index.ts";
import { crdYaml, type KafkaProxy, readResource } from "../api/index.ts";
import { type KubernetesObject, statusOf } from "./index.ts";

const folder = join(import.meta.dirname, "testdata");

/** Without its owner, which is not there: it would be collected. PodMonitor is no kind of this cluster. */
function objectsOf(name: string): string[] {
  return parseAllDocuments(readFileSync(join(folder, name, "out.yaml"), "utf8"))
    .map((document) => document.toJS() as KubernetesObject)
    .filter(({ kind }) => kind !== undefined && kind !== "PodMonitor")
    .map(({ metadata: { ownerReferences: _owner, ...metadata }, ...rest }) =>
      stringify({ ...rest, metadata }),
    );
}

describe("the objects on a real API server", () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane();
    for (const namespace of ["shop", "web"]) {
      const { exitCode, stderr } = await cluster.kubectl("create", "namespace", namespace);
      assert.equal(exitCode, 0, stderr);
    }
  });
  after(() => cluster.stop());

  async function versions(): Promise<string> {
    const kinds = "statefulset,configmap,service,serviceaccount,pdb,networkpolicy";
    const label = "app.kubernetes.io/managed-by=kafka-proxy-operator";
    const columns = "custom-columns=KIND:.kind,NAME:.metadata.name,GENERATION:.metadata.generation";
    const args = ["get", kinds, "-A", "-l", label, "-o", columns];
    const { exitCode, stdout, stderr } = await cluster.kubectl(...args);
    assert.equal(exitCode, 0, stderr);
    return stdout;
  }

  for (const name of readdirSync(folder)) {
    it(`takes all of ${name}, and nothing changes the second time`, async () => {
      const objects = objectsOf(name);
      assert.ok(objects.length >= 5);
      await cluster.apply(objects.join("---\n"));
      const first = await versions();
      await cluster.apply(objects.join("---\n"));
      assert.equal(await versions(), first);
    });
  }

  it("has a status that the API server keeps as it is: read again, there is nothing to write", async () => {
    await cluster.apply(crdYaml());
    await untilServed(cluster, "kafkaproxies.kafkaproxy.dev");
    const file = readFileSync(join(folder, "smallest", "in.yaml"), "utf8");
    const { metadata, ...written } = parse(file) as KafkaProxy;
    const { uid: _uid, generation: _generation, ...named } = metadata;
    await cluster.apply(stringify({ ...written, metadata: named }));
    const before = await get();
    const replicas = { asked: 1, wanted: 1, partitions: 12 };
    const observed = {
      now: Date.parse("2026-03-01T12:00:00.750Z"),
      statefulSet: undefined,
      problems: [{ reason: "TopicNotFound", found: "Kafka has no topic orders" }],
      lag: { messages: 12, oldestAge: "3s" },
      deadLetters: { retained: 3, lastAt: "2026-03-01T11:00:00Z" },
    } as const;
    const status = statusOf(before, replicas, observed);
    const patch = JSON.stringify({ status });
    const merge = ["--subresource=status", "--type=merge", "-p", patch];
    const done = await cluster.kubectl("patch", "kpx", "-n", "shop", "orders", ...merge);
    assert.equal(done.exitCode, 0, done.stderr);
    const after = await get();
    assert.deepEqual(after.status, status);
    assert.equal(
      statusOf(after, replicas, { ...observed, now: observed.now + 60_000 }),
      after.status,
    );
  });

  async function get(): Promise<KafkaProxy> {
    const args = ["get", "kpx", "-n", "shop", "orders", "-o", "json"];
    const { exitCode, stdout, stderr } = await cluster.kubectl(...args);
    assert.equal(exitCode, 0, stderr);
    return readResource(JSON.parse(stdout));
  }
});
