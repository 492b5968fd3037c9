import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { frameLayouts } from "./frame-types.ts";
import { cancelReasons, createFrameDecoder, defaultLimits, errorCodes } from "./index.ts";

const page = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");

function assertRow(start: string): void {
  assert.ok(page.includes(`\n${start}`), `docs/protocol.md has no row that starts with ${start}`);
}

test("docs/protocol.md has every frame with its type byte", () => {
  for (const [name, { typeByte }] of Object.entries(frameLayouts)) {
    const hex = `0x${typeByte.toString(16)}`;
    assertRow(`| \`${hex}\` | \`${name}\` |`);
    assert.match(page, new RegExp(`\n### .*${name} \`${hex}\``));
  }
});

test("docs/protocol.md has every code with its number", () => {
  errorCodes.forEach((code, number) => assertRow(`| ${number} | \`${code}\` |`));
  cancelReasons.forEach((reason, number) => assertRow(`| ${number} | \`${reason}\` |`));
});

test("docs/protocol.md has the default limits", () => {
  for (const [name, value] of Object.entries(defaultLimits)) {
    assertRow(`| ${name} | ${(value as number).toLocaleString("en-US")} |`);
  }
});

test("the worked example of docs/protocol.md is frames", () => {
  const example = /## A worked example([^]*?)\n## /.exec(page)?.[1] ?? "";
  const hex = example.match(/^(?:[0-9a-f]{2} ?)+(?= {2,}|$)/gm) ?? [];
  const frames = createFrameDecoder().push(Buffer.from(hex.join("").replaceAll(" ", ""), "hex"));
  assert.deepEqual(
    frames.map((frame) => frame.type),
    ["hello", "deliver", "ack"],
  );
  const range = { partition: 3, first: 1042, last: 1042 };
  assert.deepEqual(frames[2], { type: "ack", ranges: [range] });
});
