import assert from "node:assert/strict";
import { test } from "node:test";
import { startPosition } from "./start-position.ts";

test("a group that begins: offsetReset", () => {
  for (const offsetReset of ["earliest", "latest", "fail"] as const) {
    assert.equal(
      startPosition({ partition: 0, offsetReset, committed: new Set(), birth: undefined }),
      offsetReset,
    );
  }
});

test("a partition added later: from its first record", () => {
  assert.equal(
    startPosition({
      partition: 4,
      offsetReset: "latest",
      committed: new Set([0, 1, 2, 3]),
      birth: { partitions: 4 },
    }),
    "earliest",
  );
});

test("two proxies that begin together: the other's first commit does not make ours an added partition", () => {
  assert.equal(
    startPosition({
      partition: 1,
      offsetReset: "latest",
      committed: new Set([0]),
      birth: { partitions: 2 },
    }),
    "latest",
  );
});

test("when the birth is not known: nothing is lost", () => {
  assert.equal(
    startPosition({
      partition: 1,
      offsetReset: "latest",
      committed: new Set([0]),
      birth: undefined,
    }),
    "earliest",
  );
});
