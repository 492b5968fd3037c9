import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPath, childOf, parentOf } from "./paths.ts";

test("paths up and down", () => {
  assert.equal(parentOf("/"), undefined);
  assert.equal(parentOf("/a"), "/");
  assert.equal(parentOf("/a/b"), "/a");
  assert.equal(childOf("/", "a"), "/a");
  assert.equal(childOf("/a", "b"), "/a/b");
});

test("what ZooKeeper would refuse is refused here", () => {
  for (const good of ["/", "/a", "/a/b.c", "/…", "/a%2Fb", "/..a"]) checkPath(good);
  for (const bad of ["", "a", "/a/", "//a", "/a//b", "/.", "/a/../b", "/a\u0000", "/\ud800"]) {
    assert.throws(() => checkPath(bad), { code: "bad-arguments" }, JSON.stringify(bad));
  }
});
