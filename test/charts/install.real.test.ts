// Helm on a real API server: what it takes, what an upgrade keeps, what is left in the end.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { until } from "../harness/index.ts";
import { type ControlPlane, startControlPlane, untilServed } from "../servers/kubernetes/index.ts";
import { chart, type Helm, olderChart, startHelm } from "./helm.ts";
import { kubeconform, writeSchemas } from "./kubeconform.ts";
import { monitoringCrds } from "./monitoring.ts";

const testdata = join(import.meta.dirname, "testdata");
const examples = join(import.meta.dirname, "../../examples");

describe("the chart on a real API server", () => {
  let cluster: ControlPlane;
  let helm: Helm;
  before(async () => {
    cluster = await startControlPlane();
    helm = await startHelm(cluster.kubeconfig);
    for (const namespace of ["operators", "shop"]) await kubectl("create", "namespace", namespace);
  });
  after(async () => {
    helm.close();
    await cluster.stop();
  });

  async function kubectl(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await cluster.kubectl(...args);
    assert.equal(exitCode, 0, stderr);
    return stdout.trim();
  }
  const names = async (...args: string[]) =>
    (await kubectl("get", "-o", "name", ...args)).split("\n").filter((line) => line !== "");
  const may = async (user: string, verb: string, ...what: string[]) => {
    const { exitCode } = await cluster.kubectl("auth", "can-i", verb, ...what, `--as=${user}`);
    return exitCode === 0;
  };
  const deployment = ["get", "deployment", "--namespace=operators", "-o"];
  const released = ["rel", "--namespace=operators"];
  /** Objects that Helm made and still counts as its own. */
  const ofTheRelease = async () => {
    const kinds = "deployment,serviceaccount,role,rolebinding,clusterrole,clusterrolebinding";
    return await names(kinds, "--all-namespaces", "--selector=app.kubernetes.io/instance=rel");
  };

  /** Its notes say that KafkaProxyOperatorAbsent has nothing to go by. */
  const warns = async (...args: string[]): Promise<boolean> => {
    const said = await helm.succeeds("install", ...released, chart, "--dry-run=client", ...args);
    return said.slice(said.indexOf("\nNOTES:")).includes("KafkaProxyOperatorAbsent fires for ever");
  };

  it("upgrades from an older chart: the CRD learns, resources stay, rights are taken back", async () => {
    await helm.succeeds("install", ...released, olderChart);
    await untilServed(cluster, "kafkaproxies.kafkaproxy.dev");
    await cluster.apply(readFileSync(join(examples, "kafkaproxy.yaml"), "utf8"));
    const uid = [
      "get",
      "kafkaproxy",
      "orders",
      "--namespace=shop",
      "-o",
      "jsonpath={.metadata.uid}",
    ];
    const before = await kubectl(...uid);
    const deploymentBefore = await kubectl(...deployment, "jsonpath={.items[*].metadata.uid}");

    const said = await helm.succeeds("upgrade", ...released, chart, "--set=fullnameOverride=rel");
    assert.match(said, /rollout status deployment\/rel\n/u);

    assert.equal(await kubectl(...uid), before);
    assert.equal(
      await kubectl(...deployment, "jsonpath={.items[*].metadata.uid}"),
      deploymentBefore,
      "the Deployment was made anew",
    );
    assert.deepEqual(await names("clusterrole", "rel-everything", "--ignore-not-found"), []);
    await until("the CRD has its columns", async () => {
      const { stdout } = await cluster.kubectl("get", "kpx", "--namespace=shop");
      return /^NAME +TOPIC +GROUP +READY +REPLICAS +LAG +DEAD +AGE\norders +orders +billing /u.test(
        stdout,
      );
    });
    const refusal = await cluster
      .apply(readFileSync(join(examples, "kafkaproxy.yaml"), "utf8").replace("5", "-5"))
      .then(() => "taken")
      .catch(String);
    assert.match(refusal, /spec\.delivery\.maxDeliveries/u);
  });

  it("changes nothing when it is upgraded to itself", async () => {
    const before = await kubectl(...deployment, "jsonpath={.items[*].metadata.generation}");
    await helm.succeeds("upgrade", ...released, chart, "--set=fullnameOverride=rel");
    const generation = await kubectl(...deployment, "jsonpath={.items[*].metadata.generation}");
    assert.equal(generation, before);
  });

  it("leaves the CRD and the resources behind when it is uninstalled, and nothing else", async () => {
    await helm.succeeds("uninstall", ...released, "--wait");
    assert.deepEqual(await ofTheRelease(), []);
    assert.deepEqual(await names("kpx", "--namespace=shop"), ["kafkaproxy.kafkaproxy.dev/orders"]);
  });

  it("takes the CRD over again when it is installed anew, and removes it where it is told to", async () => {
    const other = ["install", "other", chart, "--namespace=operators"];
    assert.match((await helm.run(...other)).stderr, /invalid ownership metadata.*"rel"/su);
    await helm.succeeds(...other, "--take-ownership");
    await helm.succeeds("uninstall", "other", "--namespace=operators", "--wait");
    const back = ["--set=crds.keep=false", "--take-ownership"];
    await helm.succeeds("install", ...released, chart, ...back);
    assert.equal((await names("kpx", "--namespace=shop")).length, 1);
    await helm.succeeds("uninstall", ...released, "--wait");
    await until("the CRD is gone", async () => {
      const crd = await names("crd", "kafkaproxies.kafkaproxy.dev", "--ignore-not-found");
      return crd.length === 0;
    });
  });

  it("lets those who edit a namespace edit its KafkaProxies, and those who view it see them", async () => {
    await helm.succeeds("install", ...released, chart);
    for (const [role, user] of [
      ["edit", "editor"],
      ["view", "viewer"],
    ] as const) {
      await kubectl(
        "create",
        "rolebinding",
        role,
        `--clusterrole=${role}`,
        `--user=${user}`,
        "--namespace=shop",
      );
    }
    const proxies = ["kafkaproxies", "--namespace=shop"];
    await until("editors have their rights", () => may("editor", "create", ...proxies));
    await until("viewers have their rights", () => may("viewer", "get", ...proxies));
    assert.ok(await may("editor", "patch", ...proxies, "--subresource=scale"));
    assert.ok(!(await may("editor", "patch", ...proxies, "--subresource=status")));
    assert.ok(!(await may("editor", "create", "kafkaproxies", "--namespace=operators")));
    assert.ok(!(await may("viewer", "create", ...proxies)));
    await helm.succeeds("uninstall", ...released, "--wait");
  });

  describe("every object is one that the server takes, field by field", () => {
    const folder = mkdtempSync(join(tmpdir(), "kafkaproxy-chart-"));
    after(() => rmSync(folder, { recursive: true, force: true }));
    const rendered = async (name: string) => {
      const values = `--values=${join(testdata, name, "values.yaml")}`;
      const file = join(folder, `${name}.yaml`);
      const text = await helm.succeeds("template", ...released, chart, values);
      writeFileSync(file, text);
      return file;
    };
    before(async () => {
      // A pod that is less than restricted is then warned of.
      const restricted = "pod-security.kubernetes.io/warn=restricted";
      await kubectl("label", "namespace", "operators", restricted);
      for (const crd of monitoringCrds) await cluster.apply(JSON.stringify(crd));
      await until("monitoring is served", async () => {
        const { exitCode } = await cluster.kubectl("get", "podmonitors,prometheusrules");
        return exitCode === 0;
      });
    });

    for (const name of readdirSync(testdata)) {
      it(`and not even warns of, with the values of ${name}`, async () => {
        const file = await rendered(name);
        const strictly = [
          "--dry-run=server",
          "--validate=strict",
          "--server-side",
          "--force-conflicts",
        ];
        const { exitCode, stderr } = await cluster.kubectl("apply", ...strictly, "-f", file);
        assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: "" });
      });

      it(`and that kubeconform takes by this server's schemas, with the values of ${name}`, async () => {
        writeSchemas(await kubectl("get", "--raw", "/openapi/v2"), folder);
        assert.deepEqual(await kubeconform(await rendered(name), folder), []);
      });
    }

    it("its notes warn of the alert that fires for ever where nothing has the operator scraped", async () => {
      const alerts = "--set=prometheusRule.enabled=true";
      assert.equal(await warns(), false);
      assert.equal(await warns(alerts), true);
      assert.equal(await warns(alerts, "--set=podMonitor.enabled=true"), false);
      const disabled = "--set=prometheusRule.disabled={KafkaProxyOperatorAbsent}";
      assert.equal(await warns(alerts, disabled), false);
    });

    it("kubeconform does look: it names a field that there is not", async () => {
      const file = await rendered("defaults");
      writeFileSync(
        file,
        readFileSync(file, "utf8").replace("\n  replicas: 1\n", "\n  replica: 1\n"),
      );
      const [complaint, ...more] = await kubeconform(file, folder);
      assert.match(complaint ?? "", /^Deployment rel-kafka-proxy: .*'replica' not allowed/su);
      assert.deepEqual(more, []);
    });
  });
});
