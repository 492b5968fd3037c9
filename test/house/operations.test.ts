// docs/operations.md and examples/alerts.yaml speak of what is there: metrics, log lines, headings.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";

const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const page = read("docs/operations.md");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: { readonly runbook: string };
}
const { groups } = parse(read("examples/alerts.yaml")) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

function sources(folder: string): string {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => readFileSync(join(root, folder, name), "utf8"))
    .join("\n");
}

test("every alert has its part of the runbook, and every part its alert", () => {
  const headings = [...page.matchAll(/^### (\w+)$/gmu)].map((match) => match[1]);
  assert.deepEqual(
    rules.map(({ alert }) => alert),
    headings,
  );
  for (const { alert, annotations } of rules) {
    assert.equal(annotations.runbook, `docs/operations.md#${alert.toLowerCase()}`);
  }
});

// The operator's are held to its own by charts/src/operator-alerts.test.ts.
test("every metric that is spoken of is in the table of metrics", () => {
  const known = new Set(
    [...read("docs/metrics.md").matchAll(/^\| `(\w+)`/gmu)].map((match) => match[1]),
  );
  const texts = [page, ...rules.map(({ expr }) => expr)];
  const spoken = texts.flatMap((text) => text.match(/\bkafkaproxy_(?!operator_)[a-z_]+/gu) ?? []);
  assert.ok(spoken.length > 20);
  for (const name of spoken) {
    assert.ok(known.has(name.replace(/_(?:count|sum|bucket)$/u, "")), name);
  }
});

test("every line of the log that is quoted is written by the proxy", () => {
  const proxy = sources("proxy/src");
  const section = /^## Lines of the log.*?(?=^## )/msu.exec(page)?.[0] ?? "";
  const lines = [
    ...[...section.matchAll(/^\| `([^`]+)`/gmu)].map((match) => match[1] ?? ""),
    ...[...page.matchAll(/[Ll]og: `([^`]+)`/gu)].map((match) => match[1] ?? ""),
  ];
  assert.ok(lines.length > 6);
  for (const line of lines) assert.ok(proxy.includes(line), line);
});

test("links within the repository lead somewhere", () => {
  const pages = [
    "README.md",
    "CONTRIBUTING.md",
    ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`),
  ];
  for (const from of pages.filter((name) => name.endsWith(".md"))) {
    for (const [, target = ""] of read(from).matchAll(/\]\((?!https?:)([^)\s]+)\)/gu)) {
      const [path = "", anchor] = target.split("#");
      const to = path === "" ? from : join(from, "..", path);
      const text = path.endsWith(".md") || path === "" ? read(to) : readdirOrRead(to);
      if (anchor === undefined) continue;
      const anchors = [...text.matchAll(/^#+ (.+)$/gmu)].map((match) => anchorOf(match[1] ?? ""));
      assert.ok(anchors.includes(anchor), `${from}: ${target}`);
    }
  }
});

function readdirOrRead(path: string): string {
  try {
    return read(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EISDIR") throw error;
    return "";
  }
}

/** As GitHub makes them. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}
