// What the chart says for a few sets of values. UPDATE=1 writes the expected output anew.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { chart, type Helm, startHelm } from "./helm.ts";

const testdata = join(import.meta.dirname, "testdata");

interface Manifest {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

interface AlertFile {
  readonly groups: readonly {
    readonly name: string;
    readonly rules: readonly {
      readonly alert: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations: Readonly<Record<string, string>>;
    }[];
  }[];
}

/** CRD, alerts and dashboard are files of their own, see below; here only that they are there. */
function withoutLongOnes(text: string): string {
  return text
    .split(/^---\n/mu)
    .map((part) => {
      if (part.includes("\nkind: CustomResourceDefinition\n")) {
        return part.replace(/\nspec:\n[\s\S]*$/u, "\nspec: ...\n");
      }
      if (part.includes("\nkind: PrometheusRule\n")) {
        return part.replace(/\n {2}groups:\n[\s\S]*$/u, "\n  groups: ...\n");
      }
      return part.replace(/\n {2}kafka-proxy\.json: \|\n[\s\S]*$/u, "\n  kafka-proxy.json: ...\n");
    })
    .join("---\n");
}

describe("the chart", () => {
  let helm: Helm;
  before(async () => {
    helm = await startHelm();
  });
  after(() => helm.close());

  const template = (...args: string[]) =>
    helm.succeeds("template", "rel", chart, "--namespace=operators", ...args);
  const objects = async (...args: string[]) =>
    parseAllDocuments(await template(...args)).map((document) => document.toJS() as Manifest);

  for (const name of readdirSync(testdata)) {
    const values = `--values=${join(testdata, name, "values.yaml")}`;

    it(`passes the linter with the values of ${name}`, async () => {
      const said = await helm.succeeds("lint", "--strict", chart, values);
      assert.match(said, /1 chart\(s\) linted, 0 chart\(s\) failed/u);
    });

    it(`says what is expected for the values of ${name}`, async () => {
      const file = join(testdata, name, "out.yaml");
      const found = withoutLongOnes(await template(values));
      if (process.env["UPDATE"] === "1") writeFileSync(file, found);
      assert.equal(found, readFileSync(file, "utf8"));
    });
  }

  it("has the CRD as it is, and keeps it where it is told to", async () => {
    const crd = (all: readonly Manifest[]) =>
      all.find(({ kind }) => kind === "CustomResourceDefinition");
    const file = join(import.meta.dirname, "../../crds/kafkaproxies.yaml");
    const original = parse(readFileSync(file, "utf8")) as Manifest & { spec: object };
    const kept = crd(await objects()) as typeof original;
    assert.deepEqual(kept.spec, original.spec);
    assert.equal(kept.metadata.name, original.metadata.name);
    assert.equal(kept.metadata.annotations?.["helm.sh/resource-policy"], "keep");
    const removed = crd(await objects("--set=crds.keep=false"));
    assert.equal(removed?.metadata.annotations, undefined);
    assert.equal(crd(await objects("--set=crds.enabled=false")), undefined);
  });

  it("has the dashboard as it is", async () => {
    const all = await objects("--set=grafanaDashboard.enabled=true");
    const map = all.find(({ kind }) => kind === "ConfigMap") as Manifest & {
      data: Record<string, string>;
    };
    const file = readFileSync(join(chart, "files/dashboard.json"), "utf8");
    assert.deepEqual(JSON.parse(map.data["kafka-proxy.json"] ?? ""), JSON.parse(file));
    assert.equal(map.metadata.labels?.["grafana_dashboard"], "1");
  });

  it("has the alerts that are wanted, each with its part of the runbook", async () => {
    const values = `--values=${join(testdata, "everything", "values.yaml")}`;
    const { spec } = (await objects(values)).find(
      ({ kind }) => kind === "PrometheusRule",
    ) as Manifest & { spec: AlertFile };
    const files = [
      "../../examples/alerts.yaml",
      "../../charts/kafka-proxy/files/operator-alerts.yaml",
    ];
    const groups = files.flatMap((file) => {
      const text = readFileSync(join(import.meta.dirname, file), "utf8");
      return (parse(text) as AlertFile).groups;
    });
    const expected = groups.map(({ name, rules }) => ({
      name,
      rules: rules
        .filter(({ alert }) => alert !== "KafkaProxyRebalances")
        .map(({ annotations: { summary }, labels, ...rule }) => ({
          ...rule,
          labels: { ...labels, team: "shop" },
          annotations: {
            summary,
            runbook_url: `https://runbooks.example/kafka-proxy#${rule.alert.toLowerCase()}`,
          },
        })),
    }));
    assert.deepEqual(spec.groups, expected);
  });

  it("gives no right in the cluster where one namespace is watched", async () => {
    const kinds = (await objects("--set=watchNamespace=shop")).map(({ kind }) => kind);
    assert.deepEqual(
      kinds.filter((kind) => kind.startsWith("Cluster")),
      [],
    );
  });

  const refused: readonly (readonly [string, string])[] = [
    ["--set=replica=2", "at '': additional properties 'replica' not allowed"],
    ["--set=replicas=-1", "at '/replicas': minimum: got -1, want 0"],
    ["--set=replicas=two", "at '/replicas': got string, want integer"],
    ["--set=image.tag=5", "at '/image/tag': got number, want string"],
    ["--set=image.registry=x", "at '/image': additional properties 'registry' not allowed"],
    [
      "--set=image.pullPolicy=Sometimes",
      "at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
    ],
    ["--set=crds.keep=maybe", "at '/crds/keep': got string, want boolean"],
    ["--set=admin.port=80", "at '/admin/port': minimum: got 80, want 1,024"],
    ["--set=tolerations={infra}", "at '/tolerations/0': got string, want object"],
    ["--set=watchNamespace=Shop", "at '/watchNamespace': 'Shop' does not match pattern"],
  ];
  for (const [flag, words] of refused) {
    it(`refuses ${flag} by name`, async () => {
      const { exitCode, stderr } = await helm.run("template", "rel", chart, flag);
      assert.equal(exitCode, 1);
      assert.ok(stderr.includes(`- ${words}`), stderr);
    });
  }

  it("takes what Helm hands down to a chart that others depend on", async () => {
    await template("--set=global.registry=x", "--set=enabled=true");
  });
});
