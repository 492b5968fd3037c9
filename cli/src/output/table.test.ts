import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { createOutput } from "./output.ts";
import { table } from "./table.ts";

test("columns line up, numbers to the right", () => {
  assert.equal(
    table(
      ["NAME", "LAG"],
      [
        ["a", 5],
        ["longer", 1200],
      ],
    ),
    "NAME     LAG\na          5\nlonger  1200",
  );
});

test("an empty table is its header", () => {
  assert.equal(table(["NAME", "LAG"], []), "NAME  LAG");
});

function streams(isTTY: boolean) {
  const stdout = Object.assign(new PassThrough(), { isTTY });
  return { stdout, stderr: new PassThrough() };
}

test("colours only on a terminal, never in JSON, never with NO_COLOR", () => {
  assert.equal(createOutput(streams(true), false, {}).paint("red", "x"), "\u001b[31mx\u001b[39m");
  assert.equal(createOutput(streams(false), false, {}).paint("red", "x"), "x");
  assert.equal(createOutput(streams(true), true, {}).paint("red", "x"), "x");
  assert.equal(createOutput(streams(true), false, { NO_COLOR: "1" }).paint("red", "x"), "x");
});

test("--json prints the value, otherwise the words", () => {
  const machine = streams(false);
  createOutput(machine, true, {}).result({ a: 1 }, "words");
  assert.equal(machine.stdout.read()?.toString(), '{"a":1}\n');
  const person = streams(false);
  createOutput(person, false, {}).result({ a: 1 }, "words");
  assert.equal(person.stdout.read()?.toString(), "words\n");
});
