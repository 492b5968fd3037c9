/** What `desired` makes, on a real API server: taken as it is, and the same a second time. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parseAllDocuments, stringify } from "yaml";
import { type ControlPlane, startControlPlane } from "../../../test/servers/kubernetes/index.ts";
import type { KubernetesObject } from "./index.ts";

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
      for (const object of objects) await cluster.apply(object);
      const first = await versions();
      for (const object of objects) await cluster.apply(object);
      assert.equal(await versions(), first);
    });
  }
});
