import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  decodePathSegment,
  encodePathSegment,
  groupPath,
  proxiesPath,
  registryPath,
  WireError,
} from "./index.ts";

const target = { topic: "orders", consumerGroup: "billing" };

test("paths with defaults and without", () => {
  assert.equal(groupPath(target), "/kafkaproxy/default/orders/billing");
  assert.equal(proxiesPath(target), "/kafkaproxy/default/orders/billing/proxies");
  const full = { ...target, root: "/apps/kpx", namespace: "shop" };
  assert.equal(registryPath(full, "orders-0"), "/apps/kpx/shop/orders/billing/proxies/orders-0");
  assert.equal(groupPath({ ...target, root: "/" }), "/default/orders/billing");
});

test("names that ZooKeeper refuses are encoded", () => {
  assert.equal(
    registryPath({ topic: "..", consumerGroup: "a/b c" }, "."),
    "/kafkaproxy/default/%2E%2E/a%2Fb%20c/proxies/%2E",
  );
  assert.equal(encodePathSegment("groupe-é\u0000"), "groupe-%C3%A9%00");
});

test("any name goes round, in characters that ZooKeeper takes", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (name) => {
      const segment = encodePathSegment(name);
      assert.match(segment, /^[A-Za-z0-9\-_.!~*'()%]+$/);
      assert.ok(segment !== "." && segment !== "..");
      assert.equal(decodePathSegment(segment), name);
    }),
  );
});

test("what can't be a path is refused", () => {
  const roots = ["", "apps", "/apps/", "//", "/a//b", "/a/../b", "/zookeeper/x", "/a\u0000"];
  for (const root of roots) {
    assert.throws(() => groupPath({ ...target, root }), WireError, JSON.stringify(root));
  }
  assert.throws(() => groupPath({ ...target, topic: "" }), WireError);
  assert.throws(() => encodePathSegment("\ud800"), WireError);
  assert.throws(() => decodePathSegment("%zz"), WireError);
});
