import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { chartDir, madeFiles } from "./made.ts";

describe("what the chart holds of other files", () => {
  for (const [path, text] of madeFiles()) {
    it(`${path} is up to date (make docs)`, () => {
      assert.equal(readFileSync(join(chartDir, path), "utf8"), text);
    });
  }
});
