import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startControlPlane, type ControlPlane, untilServed } from "./index.ts";

const crd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "lamps.test.kafkaproxy.dev" },
  spec: {
    group: "test.kafkaproxy.dev",
    scope: "Namespaced",
    names: { kind: "Lamp", plural: "lamps" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                properties: {
                  colour: { type: "string", default: "white" },
                  watts: { type: "integer" },
                },
                "x-kubernetes-validations": [
                  { rule: "!has(self.watts) || self.watts < 100", message: "too bright" },
                ],
              },
            },
          },
        },
      },
    ],
  },
};

function lamp(spec: object): string {
  const metadata = { name: "hall", namespace: "default" };
  return JSON.stringify({ apiVersion: "test.kafkaproxy.dev/v1", kind: "Lamp", metadata, spec });
}

async function eventually(what: string, check: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await check())) {
    if (performance.now() > deadline) assert.fail(`not in 60 s: ${what}`);
    await sleep(200);
  }
}

describe("a control plane", () => {
  let cluster: ControlPlane;
  before(async () => {
    cluster = await startControlPlane();
  });
  after(() => cluster.stop());

  async function succeeds(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await cluster.kubectl(...args);
    assert.equal(exitCode, 0, stderr);
    return stdout;
  }

  it("says its version", async () => {
    const found = JSON.parse(await succeeds("version", "-o", "json"));
    assert.equal(found.serverVersion.gitVersion, "v1.34.4");
    assert.equal(found.clientVersion.gitVersion, "v1.34.4");
  });

  it("takes a resource definition, with its defaults and rules, by server-side apply", async () => {
    await cluster.apply(JSON.stringify(crd));
    await untilServed(cluster, crd.metadata.name);
    await cluster.apply(lamp({ watts: 40 }));
    const found = JSON.parse(await succeeds("get", "lamp", "hall", "-o", "json"));
    assert.deepEqual(found.spec, { colour: "white", watts: 40 });
    await assert.rejects(cluster.apply(lamp({ watts: 100 })), /spec: Invalid value.*too bright/s);
  });

  it("writes down who changed what", async () => {
    await succeeds("create", "configmap", "noted");
    await eventually("the audit log names it", async () =>
      readFileSync(cluster.auditLog, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .some((line) => {
          const { verb, objectRef } = JSON.parse(line);
          return verb === "create" && objectRef?.name === "noted";
        }),
    );
  });

  it("has controllers: a deployment gets its pods, and garbage is collected", async () => {
    await succeeds("create", "deployment", "web", "--image=localhost/none:1", "--replicas=2");
    const pods = ["get", "pods", "-l", "app=web", "-o", "name"];
    await eventually("two pods", async () => (await succeeds(...pods)).split("\n").length === 3);
    await succeeds("delete", "deployment", "web");
    await eventually("no pods", async () => (await succeeds(...pods)) === "");
  });

  it("keeps what it has over a killed API server, and answers again after a frozen one", async () => {
    await succeeds("create", "configmap", "kept");
    await cluster.apiServer.kill();
    assert.notEqual((await cluster.kubectl("get", "configmap", "kept")).exitCode, 0);
    await cluster.apiServer.start();
    await succeeds("get", "configmap", "kept");
    cluster.apiServer.freeze();
    const frozen = await cluster.kubectl("--request-timeout=1s", "get", "configmap", "kept");
    assert.notEqual(frozen.exitCode, 0);
    cluster.apiServer.thaw();
    await succeeds("get", "configmap", "kept");
  });
});
