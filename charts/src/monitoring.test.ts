import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { dashboard } from "./dashboard.ts";
import { chartDir } from "./made.ts";

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, "../..");
const { groups } = parse(readFileSync(join(chartDir, "files/alerts.yaml"), "utf8")) as {
  groups: readonly { name: string; rules: readonly Alert[] }[];
};
const alerts = groups.flatMap(({ rules }) => rules);
const panels = (
  dashboard() as {
    panels: readonly { title: string; id: number; targets: readonly { expr: string }[] }[];
  }
).panels;

/** Names of our metrics, with a histogram's parts, and the labels of each, from their page. */
const metrics = new Map(
  [
    ...readFileSync(join(root, "docs/metrics.md"), "utf8").matchAll(
      /^\| `(\w+)` \| (\w+) \| ([\w, ]*) ?\|/gmu,
    ),
  ].flatMap(([, name = "", type, labels = ""]) => {
    const own = labels.split(",").map((label) => label.trim());
    if (type !== "histogram") return [[name, own] as const];
    return ["bucket", "count", "sum"].map((part) => [`${name}_${part}`, own] as const);
  }),
);

function assertKnown(expr: string): void {
  const used = expr.match(/\bkafkaproxy_\w+/gu) ?? [];
  assert.notEqual(used.length, 0, `${expr} has no metric of ours`);
  for (const name of used) assert.ok(metrics.has(name), `${name} is not in docs/metrics.md`);
  for (const [open, close] of ["()", "{}", "[]"].map((pair) => pair.split(""))) {
    assert.equal(expr.split(open!).length, expr.split(close!).length, `${expr}: ${open}${close}`);
  }
}

describe("alerts", () => {
  it("have names of their own", () => {
    assert.equal(new Set(alerts.map(({ alert }) => alert)).size, alerts.length);
  });

  for (const { alert, expr, labels, annotations } of alerts) {
    it(`${alert} stands on metrics that there are, and says what it is about`, () => {
      assertKnown(expr);
      assert.match(alert, /^KafkaProxy[A-Z]\w+$/u);
      assert.match(labels["severity"] ?? "", /^(?:critical|warning|info)$/u);
      assert.deepEqual(Object.keys(annotations).sort(), ["description", "summary"]);
      // A label that the expression has summed away would be empty in the words.
      const kept = /\bby \(([^)]*)\)/u
        .exec(expr)?.[1]
        ?.split(",")
        .map((label) => label.trim());
      const words = Object.values(annotations).join(" ");
      for (const [, label = ""] of words.matchAll(/\$labels\.(\w+)/gu)) {
        const metric = /\bkafkaproxy_\w+/u.exec(expr)?.[0] ?? "";
        const all = ["namespace", "pod", "topic", "group", ...(metrics.get(metric) ?? [])];
        assert.ok((kept ?? all).includes(label), `${alert} has no label ${label}`);
      }
    });
  }
});

describe("dashboard", () => {
  it("has panels of their own id", () => {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  });

  for (const { id, title, targets } of panels) {
    it(`panel ${id}, ${title}, stands on metrics that there are`, () => {
      for (const { expr } of targets) assertKnown(expr);
    });
  }
});
