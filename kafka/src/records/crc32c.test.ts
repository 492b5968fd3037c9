import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { crc32c } from "./crc32c.ts";

test("the vectors of RFC 3720, B.4", () => {
  const ascending = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
  assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  assert.equal(crc32c(Buffer.alloc(32, 255)), 0x62a8ab43);
  assert.equal(crc32c(ascending), 0x46dd794e);
  assert.equal(crc32c(Buffer.from(ascending).reverse()), 0x113fdb5c);
  assert.equal(crc32c(Buffer.alloc(0)), 0);
});

test("any length at any alignment is as bit by bit", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(16), fc.nat(16), (data, from, less) => {
      const start = Math.min(from, data.length);
      const end = Math.max(start, data.length - less);
      assert.equal(crc32c(data, start, end), bitByBit(data.subarray(start, end)));
    }),
    { numRuns: 2_000 },
  );
});

function bitByBit(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
