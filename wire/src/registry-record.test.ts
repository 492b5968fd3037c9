import assert from "node:assert/strict";
import { test } from "node:test";
import {
  encodeRegistryRecord,
  parseRegistryRecord,
  type RegistryRecord,
  WireError,
} from "./index.ts";

const record: RegistryRecord = {
  host: "orders-0.orders.shop.svc",
  port: 10666,
  tls: false,
  protocol: 1,
  instance: "orders-0",
  pod: "orders-0",
  zone: "eu-1a",
  started: "2026-01-31T12:00:00.000Z",
};

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

test("a record goes round", () => {
  assert.deepEqual(parseRegistryRecord(encodeRegistryRecord(record)), record);
});

test("unknown fields are ignored, pod and zone may be missing", () => {
  const { pod: _pod, zone: _zone, ...needed } = record;
  const parsed = parseRegistryRecord(json({ ...needed, later: { x: 1 } }));
  assert.deepEqual(parsed, { ...record, pod: "", zone: "" });
});

test("all errors come at once", () => {
  const bad = { ...record, host: "", port: 0, tls: "no", protocol: 1.5, pod: 7, started: "today" };
  assert.throws(
    () => parseRegistryRecord(json({ ...bad, instance: undefined })),
    (error) => {
      assert.ok(error instanceof WireError);
      assert.equal(error.code, "invalid-registry-record");
      const named = ["host", "port", "tls", "protocol", "instance", "pod", "started"];
      for (const name of named) {
        assert.match(error.message, new RegExp(`${name} is `));
      }
      assert.match(error.message, /instance is missing/);
      return true;
    },
  );
});

test("what is no JSON object is refused", () => {
  for (const data of ["", "{", "null", "[]", "7", '"x"', "\ufffd{"]) {
    assert.throws(() => parseRegistryRecord(Buffer.from(data)), WireError, data);
  }
  assert.throws(() => parseRegistryRecord(Buffer.from("22ff22", "hex")), WireError);
});
