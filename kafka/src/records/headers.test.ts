import assert from "node:assert/strict";
import { test } from "node:test";
import { KafkaError } from "../errors.ts";
import { appendHeaders, decodeHeaders, encodeHeaders, noHeaders } from "./headers.ts";

const headers: [string, Buffer | null][] = [
  ["b", Buffer.from([0, 255])],
  ["a", null],
  ["b", Buffer.alloc(0)],
  ["constructor", Buffer.alloc(200, 1)],
  ["ü", Buffer.from("x")],
];

test("order, repeats, nulls and empties come back", () => {
  assert.deepEqual(decodeHeaders(encodeHeaders(headers)), headers);
  assert.deepEqual(decodeHeaders(noHeaders), []);
  assert.deepEqual(encodeHeaders([]), Buffer.from([0]));
});

test("appending leaves what is there byte for byte, even a name that is not UTF-8", () => {
  const block = Buffer.from([2, 2, 0xff, 1]); // one header: a name of the byte FF, a null value
  const grown = appendHeaders(block, headers);
  assert.deepEqual(grown.subarray(1, 4), block.subarray(1));
  assert.deepEqual(decodeHeaders(grown).slice(1), headers);
  const many = Array.from({ length: 63 }, (_, i): [string, null] => [`h${i}`, null]);
  assert.equal(decodeHeaders(appendHeaders(encodeHeaders(many), headers)).length, 68);
});

test("a block may be any Uint8Array, at any place in its memory", () => {
  const block = encodeHeaders(headers);
  const elsewhere = new Uint8Array(block.length + 9);
  elsewhere.set(block, 5);
  assert.deepEqual(decodeHeaders(elsewhere.subarray(5, 5 + block.length)), headers);
});

test("what is not a block is refused with words", () => {
  for (const bytes of [[], [1], [2], [2, 1], [2, 4, 65], [2, 2, 65, 8, 1], [0, 0]]) {
    assert.throws(
      () => decodeHeaders(Buffer.from(bytes)),
      (error) => error instanceof KafkaError && error.code === "bad-arguments",
    );
  }
  assert.throws(() => appendHeaders(Buffer.alloc(0), headers), /empty header block/);
});
