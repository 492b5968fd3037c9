import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { AnswerReader } from "./answer-reader.ts";

function answer(bytes: number, fill: number): Buffer {
  const made = Buffer.alloc(4 + bytes, fill);
  made.writeInt32BE(bytes);
  return made;
}

/** Puts `stream` into the reader, at most so many bytes at a time, over and over. */
function feed(reader: AnswerReader, stream: Buffer, sizes: readonly number[]): void {
  let at = 0;
  for (let turn = 0; at < stream.length; turn += 1) {
    const room = reader.room();
    assert.ok(room.length > 0);
    const copied = stream.copy(room, 0, at, at + (sizes[turn % sizes.length] ?? 1));
    at += copied;
    reader.received(copied);
  }
}

const answers = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 100 }),
    fc.integer({ min: 4_080, max: 4_100 }),
    fc.integer({ min: 4_101, max: 300_000 }),
  ),
  { maxLength: 20 },
);
const reads = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 1e6 })),
  {
    minLength: 1,
    maxLength: 5,
  },
);

test("the answers as they were sent, however they are cut", () => {
  fc.assert(
    fc.property(answers, reads, fc.boolean(), (sizes, cuts, reusesMemory) => {
      const sent = sizes.map((size, i) => answer(size, i));
      const got: Buffer[] = [];
      const reader = new AnswerReader({
        reusesMemory,
        // Reused memory is ours until the next answer comes.
        answered: (one) => got.push(reusesMemory ? Buffer.from(one) : one),
      });
      feed(reader, Buffer.concat(sent), cuts.every((cut) => cut < 10) ? [...cuts, 10_000] : cuts);
      assert.deepEqual(got, sent);
    }),
    { numRuns: 60 },
  );
});

test("reused memory grows with what needs it, and is given back when little comes", () => {
  const memories: ArrayBufferLike[] = [];
  const reader = new AnswerReader({
    reusesMemory: true,
    answered: (one) => memories.push(one.buffer),
  });
  const sizes = [300_000, 100_000, 600_000, 550_000, 10, 600_000];
  feed(reader, Buffer.concat(sizes.map((size) => answer(size, 1))), [65_536]);
  const [first, second, third, fourth, , last] = memories;
  assert.equal(second, first);
  assert.notEqual(third, first);
  assert.equal(fourth, third);
  assert.notEqual(last, third);
  assert.deepEqual(
    [first, third, last].map((memory) => memory?.byteLength),
    [2, 3, 3].map((steps) => steps * 256 * 1024),
  );
});

test("a length below zero is no answer", () => {
  const reader = new AnswerReader({ answered: () => assert.fail("an answer") });
  assert.throws(() => feed(reader, Buffer.from([255, 255, 255, 254]), [4]), /-2 bytes/);
});
