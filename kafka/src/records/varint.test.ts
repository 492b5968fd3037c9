import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { int32Bytes, int64Bytes, VarintReader, writeInt32, writeInt64 } from "./varint.ts";

function reader(...bytes: number[]): VarintReader {
  return new VarintReader(Buffer.from(bytes), 0, bytes.length);
}

test("numbers stand as Kafka writes them", () => {
  assert.equal(reader(0).int32(), 0);
  assert.equal(reader(1).int32(), -1);
  assert.equal(reader(2).int32(), 1);
  assert.equal(reader(0x80, 0x01).int32(), 64);
  assert.equal(reader(0xff, 0xff, 0xff, 0xff, 0x0f).int32(), -(2 ** 31));
  assert.equal(reader(0x80, 0x01).int64(), 64);
  assert.equal(reader(...Array<number>(9).fill(0xff), 0x01).int64(), -(2 ** 63));
});

test("32 bits go there and back, in the bytes announced", () => {
  fc.assert(
    fc.property(fc.integer(), (value) => {
      const data = Buffer.alloc(8);
      const end = writeInt32(data, value, 1);
      assert.equal(end - 1, int32Bytes(value));
      const back = new VarintReader(data, 1, end);
      assert.equal(back.int32(), value);
      assert.equal(back.position, end);
    }),
    { examples: [[0], [-1], [63], [64], [-64], [-65], [2 ** 31 - 1], [-(2 ** 31)]] },
  );
});

test("53 bits go there and back, in the bytes announced", () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const data = Buffer.alloc(16);
      const end = writeInt64(data, value, 1);
      assert.equal(end - 1, int64Bytes(value));
      const back = new VarintReader(data, 1, end);
      assert.equal(back.int64(), value);
      assert.equal(back.position, end);
    }),
    { examples: [[0], [-1], [63], [64], [-64], [-65], [2 ** 53 - 1], [1 - 2 ** 53]] },
  );
});

test("beyond 53 bits the nearest double comes back", () => {
  for (const value of [1.7e18, -1.7e18, 2 ** 62]) {
    const data = Buffer.alloc(16);
    const end = writeInt64(data, value, 0);
    assert.equal(new VarintReader(data, 0, end).int64(), value);
  }
});

test("too long or cut off is an error", () => {
  assert.throws(() => reader(0x80).int32(), /cut off/);
  assert.throws(() => reader(0x80).int64(), /cut off/);
  assert.throws(() => reader().int32(), /cut off/);
  assert.throws(() => reader(...Array<number>(6).fill(0x80)).int32(), /more than 5 bytes/);
  assert.throws(() => reader(...Array<number>(11).fill(0x80)).int64(), /more than 10 bytes/);
});
