import assert from "node:assert/strict";
import { test } from "node:test";
import { appendHeaders, decodeHeaders, emptyHeaders, encodeHeaders, WireError } from "./index.ts";

test("appending leaves the old bytes as they are, also where a name is not UTF-8", () => {
  const old = Buffer.from("0402ff01026102ff", "hex");
  const block = appendHeaders(old, [{ name: "b", value: Uint8Array.of(1) }]);
  assert.equal(Buffer.from(block).toString("hex"), "0602ff01026102ff02620201");
});

test("appending over a count that needs another byte", () => {
  const many = Array.from({ length: 63 }, (_, i) => ({ name: `${i}`, value: null }));
  const block = appendHeaders(encodeHeaders(many), [{ name: "last", value: null }]);
  assert.deepEqual(decodeHeaders(block), [...many, { name: "last", value: null }]);
});

test("names that mean something to JavaScript are names like others", () => {
  const headers = ["constructor", "__proto__", "toString"].map((name) => ({ name, value: null }));
  assert.deepEqual(decodeHeaders(encodeHeaders(headers)), headers);
});

test("a block of no bytes is one of no headers", () => {
  assert.deepEqual(decodeHeaders(new Uint8Array(0)), []);
  assert.deepEqual(decodeHeaders(emptyHeaders), []);
  assert.deepEqual(
    appendHeaders(new Uint8Array(0), [{ name: "a", value: null }]),
    appendHeaders(emptyHeaders, [{ name: "a", value: null }]),
  );
});

test("a block whose count can't be read is refused", () => {
  assert.throws(
    () => appendHeaders(Buffer.from("ffffffffff", "hex"), []),
    (error) => error instanceof WireError && error.code === "malformed-headers",
  );
});
