import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { FrameSplitter } from "./frame-splitter.ts";

function frame(payload: Uint8Array): Buffer {
  const made = Buffer.alloc(4 + payload.length);
  made.writeInt32BE(payload.length);
  made.set(payload, 4);
  return made;
}

test("any split of any frames gives the same frames", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 })),
      fc.array(fc.nat(30), { minLength: 1 }),
      (payloads, cuts) => {
        const frames = payloads.map(frame);
        const all = Buffer.concat(frames);
        const splitter = new FrameSplitter();
        const found: Buffer[] = [];
        for (let at = 0, i = 0; at < all.length; i++) {
          const size = cuts[i % cuts.length]! + (i % cuts.length === 0 ? 1 : 0);
          for (const one of splitter.push(all.subarray(at, at + size)))
            found.push(Buffer.from(one));
          at += size;
        }
        assert.deepEqual(found, frames);
      },
    ),
  );
});

test("a frame that was cut is forgotten by reset", () => {
  const splitter = new FrameSplitter();
  assert.deepEqual([...splitter.push(frame(Buffer.alloc(10)).subarray(0, 9))], []);
  splitter.reset();
  assert.deepEqual([...splitter.push(frame(Buffer.from("ok")))], [frame(Buffer.from("ok"))]);
});

test("a length that can't be one throws", () => {
  assert.throws(() => [...new FrameSplitter().push(Buffer.from("HTTP/1.1"))], /bytes, allowed/);
  assert.throws(() => [...new FrameSplitter().push(Buffer.from([255, 255, 255, 255]))], RangeError);
});
