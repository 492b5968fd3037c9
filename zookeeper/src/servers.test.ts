import assert from "node:assert/strict";
import { test } from "node:test";
import { parseServers } from "./servers.ts";

test("servers are read with and without port, IPv6 in brackets", () => {
  assert.deepEqual(parseServers("a:1, b ,[::1]:3,10.0.0.1"), [
    { host: "a", port: 1 },
    { host: "b", port: 2181 },
    { host: "::1", port: 3 },
    { host: "10.0.0.1", port: 2181 },
  ]);
});

test("what can't be a server is refused with its text, a chroot with a way out", () => {
  for (const bad of ["", "a:1,,b:2", "a:0", "a:65536", "a:x", "::1", "a b:1"]) {
    assert.throws(() => parseServers(bad), { code: "bad-arguments" }, bad);
  }
  assert.throws(() => parseServers("a:1/root"), /chroot.*not supported/);
});
