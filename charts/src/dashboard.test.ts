import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { dashboard } from "./dashboard.ts";

const root = join(import.meta.dirname, "../..");
const panels = (
  dashboard() as {
    panels: readonly { title: string; id: number; targets: readonly { expr: string }[] }[];
  }
).panels;

/** Names of our metrics, with a histogram's parts, from their page. */
const metrics = new Set(
  [
    ...readFileSync(join(root, "docs/metrics.md"), "utf8").matchAll(/^\| `(\w+)` \| (\w+) \|/gmu),
  ].flatMap(([, name = "", type]) =>
    type === "histogram" ? ["bucket", "count", "sum"].map((part) => `${name}_${part}`) : [name],
  ),
);

function assertKnown(expr: string): void {
  const used = expr.match(/\bkafkaproxy_\w+/gu) ?? [];
  assert.notEqual(used.length, 0, `${expr} has no metric of ours`);
  for (const name of used) assert.ok(metrics.has(name), `${name} is not in docs/metrics.md`);
  for (const [open, close] of ["()", "{}", "[]"].map((pair) => pair.split(""))) {
    assert.equal(expr.split(open!).length, expr.split(close!).length, `${expr}: ${open}${close}`);
  }
}

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
