// What a user of the client reads in the editor: every public name, and every public member of it, is explained.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const folder = join(import.meta.dirname, "../../client/src");
const read = (path: string): string => readFileSync(join(folder, path), "utf8");

/** Names that the door of the client gives out. */
function publicNames(): string[] {
  return [...read("index.ts").matchAll(/^export (?:type )?\{([^}]*)\}/gmu)].flatMap(([, list]) =>
    (list ?? "")
      .split(",")
      .map((name) => name.trim().replace(/^type /u, ""))
      .filter((name) => name !== ""),
  );
}

/** The lines of all sources, and where each public name is declared; the formatter sees to the indentation. */
const sources = readdirSync(folder, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && !/\.test\.ts$|testing\//u.test(name))
  .map((name) => read(name).split("\n"));

function declarationsOf(name: string): { lines: readonly string[]; at: number }[] {
  const start = new RegExp(
    `^export (?:async function|function|interface|class|type|const) ${name}\\b`,
    "u",
  );
  return sources.flatMap((lines) =>
    lines.flatMap((line, at) => (start.test(line) ? [{ lines, at }] : [])),
  );
}

function isExplained(lines: readonly string[], at: number): boolean {
  let before = at - 1;
  while (/^\s*\/\/ oxlint-/u.test(lines[before] ?? "")) before -= 1;
  return (lines[before] ?? "").trimEnd().endsWith("*/");
}

/** Lines on which public members of an interface or a class begin. */
function membersOf(lines: readonly string[], at: number): number[] {
  if (!/^export (?:interface|class) .*\{$/u.test(lines[at] ?? "")) return [];
  const end = lines.indexOf("}", at);
  return lines
    .map((_, line) => line)
    .slice(at + 1, end)
    .filter((line) =>
      /^ {2}(?:readonly |get |async )*[A-Za-z]\w*[?]?[(<:]/u.test(lines[line] ?? ""),
    );
}

test("every public name of the client and its members have a docstring", () => {
  const names = publicNames();
  assert.ok(names.length > 20, names.join());
  const missing: string[] = [];
  let members = 0;
  for (const name of names) {
    const [declaration, ...more] = declarationsOf(name);
    assert.ok(declaration !== undefined && more.length === 0, `${name} is declared once`);
    const { lines, at } = declaration;
    if (!isExplained(lines, at)) missing.push(name);
    for (const member of membersOf(lines, at)) {
      members += 1;
      if (!isExplained(lines, member)) missing.push(`${name}: ${(lines[member] ?? "").trim()}`);
    }
  }
  assert.ok(members > 60, `${members} members`);
  assert.deepEqual(missing, []);
});
