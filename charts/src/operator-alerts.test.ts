import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { chartDir } from "./made.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly runbook: string };
}

const root = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const { groups } = parse(readFileSync(join(chartDir, "files/operator-alerts.yaml"), "utf8")) as {
  groups: readonly { rules: readonly Rule[] }[];
};
const page = read("docs/operations.md");
const source = read("operator/src/admin/metrics.ts");
const metricsOf = (text: string) => text.match(/\bkafkaproxy_operator_\w+/gu) ?? [];

describe("alerts on the operator", () => {
  for (const { alert, expr, annotations } of groups.flatMap(({ rules }) => rules)) {
    it(`${alert} stands on metrics that there are, and has its part of the runbook`, () => {
      assert.notEqual(metricsOf(expr).length, 0);
      for (const name of metricsOf(expr)) assert.ok(source.includes(`"${name}"`), name);
      assert.equal(annotations.runbook, `docs/operations.md#${alert.toLowerCase()}`);
      assert.ok(page.includes(`\n#### ${alert}\n`));
    });
  }

  it("the page has all metrics of the operator, and no others", () => {
    assert.deepEqual(new Set(metricsOf(page)), new Set(metricsOf(source)));
  });
});
