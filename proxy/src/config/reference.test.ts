import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { configurationReference } from "./reference.ts";

test("docs/configuration.md is what the schema says (make docs writes it)", () => {
  const page = readFileSync(join(import.meta.dirname, "../../../docs/configuration.md"), "utf8");
  assert.equal(page, configurationReference());
});
