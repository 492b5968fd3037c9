import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOptions, usage } from "./options.ts";

test("defaults are whole, and said in the usage", () => {
  const options = parseOptions([]);
  assert.notEqual(options, "help");
  assert.ok(options !== "help");
  assert.deepEqual(options.modes, ["pull"]);
  assert.ok(usage.includes(`(${options.records})`));
});

test("flags are taken", () => {
  const options = parseOptions(["--records", "4000", "--warmup=1000", "--modes", "pull,push"]);
  assert.ok(options !== "help");
  assert.equal(options.records, 4000);
  assert.deepEqual(options.modes, ["pull", "push"]);
  assert.equal(parseOptions(["--help"]), "help");
});

test("all faults come at once, each with its flag and what was found", () => {
  assert.throws(
    () => parseOptions(["--workers", "none", "--rounds=-1", "--modes", "shove"]),
    ({ message }: Error) =>
      ["--workers is none", "--rounds is -1", "--modes is shove"].every((fault) =>
        message.includes(fault),
      ),
  );
  assert.throws(() => parseOptions(["--records", "2000", "--warmup", "1500"]), /--warmup is 1500/);
  assert.throws(() => parseOptions(["--colour", "red"]));
});
