import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import * as fc from "fast-check";
import { BatchFault } from "./batch-fault.ts";
import { decompress } from "./compression.ts";

const limit = 16 * 1024 * 1024;

/** A compressed text as its parts: bytes as they are, or bytes that came before. */
interface Part {
  readonly literal: Uint8Array;
  readonly distance: number;
  readonly length: number;
}

const parts = fc.array(
  fc.record({
    literal: fc.uint8Array({ minLength: 1, maxLength: 400 }),
    distance: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 500 })),
    length: fc.oneof(fc.integer({ min: 4, max: 30 }), fc.integer({ min: 4, max: 2_000 })),
  }),
  { minLength: 1, maxLength: 40 },
);

/** What the parts say, and the copies that are possible in it. */
function expand(list: readonly Part[]): { text: Buffer; list: Part[] } {
  const text: number[] = [];
  const possible = list.map(({ literal, distance, length }) => {
    text.push(...literal);
    const back = Math.min(distance, text.length);
    for (let i = 0; i < length; i++) text.push(text[text.length - back]!);
    return { literal, distance: back, length };
  });
  return { text: Buffer.from(text), list: possible };
}

function snappyBlock(list: readonly Part[], size: number): Buffer {
  const out: number[] = [];
  let rest = size;
  for (; rest > 127; rest = Math.floor(rest / 128)) out.push((rest & 127) | 128);
  out.push(rest);
  for (const { literal, distance, length } of list) {
    const less = literal.length - 1;
    if (less < 60) out.push(less << 2);
    else if (less < 256) out.push(60 << 2, less);
    else out.push(61 << 2, less & 255, less >> 8);
    out.push(...literal);
    for (let left = length; left > 0; ) {
      const step = Math.min(left, 64);
      if (step >= 4 && step <= 11)
        out.push(1 | ((step - 4) << 2) | ((distance >> 8) << 5), distance & 255);
      else if (step % 2 === 0) out.push(2 | ((step - 1) << 2), distance & 255, distance >> 8);
      else out.push(3 | ((step - 1) << 2), distance & 255, distance >> 8, 0, 0);
      left -= step;
    }
  }
  return Buffer.from(out);
}

function xerial(...blocks: Buffer[]): Buffer {
  const header = Buffer.from("82534e41505059000000000100000001", "hex");
  return Buffer.concat([header, ...blocks.flatMap((block) => [be32(block.length), block])]);
}

function lz4Block(list: readonly Part[]): Buffer {
  const out: number[] = [];
  const more = (value: number) => {
    let rest = value - 15;
    if (rest < 0) return;
    for (; rest >= 255; rest -= 255) out.push(255);
    out.push(rest);
  };
  for (const { literal, distance, length } of list) {
    const match = length - 4;
    out.push((Math.min(literal.length, 15) << 4) | Math.min(match, 15));
    more(literal.length);
    out.push(...literal, distance & 255, distance >> 8);
    more(match);
  }
  out.push(0); // the last sequence: no literals, no match
  return Buffer.from(out);
}

function lz4Frame(blocks: readonly Buffer[], flags = 0x60): Buffer {
  const extra = Buffer.alloc(flags & 0x08 ? 9 : 1); // content size, header checksum: not looked at
  const body = blocks.flatMap((block) => [
    le32(block.length),
    block,
    Buffer.alloc(flags & 0x10 ? 4 : 0),
  ]);
  const head = Buffer.from([0x04, 0x22, 0x4d, 0x18, flags, 0x70]);
  return Buffer.concat([head, extra, ...body, le32(0)]);
}

function be32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function le32(value: number): Buffer {
  return be32(value).reverse();
}

test("snappy: every kind of tag, in a bare block and in xerial's stream", () => {
  fc.assert(
    fc.property(parts, (random) => {
      const { text, list } = expand(random);
      const block = snappyBlock(list, text.length);
      assert.deepEqual(decompress("snappy", block, limit), text);
      const twice = Buffer.concat([text, text]);
      assert.deepEqual(decompress("snappy", xerial(block, block), limit), twice);
    }),
  );
});

test("lz4: every kind of sequence, in one block and in several", () => {
  fc.assert(
    fc.property(parts, fc.constantFrom(0x60, 0x40, 0x70, 0x68, 0x6c), (random, flags) => {
      const { text, list } = expand(random);
      const block = lz4Block(list);
      const stored = le32(5 + 0x80000000);
      const frame = lz4Frame([block, block], flags);
      assert.deepEqual(decompress("lz4", frame, limit), Buffer.concat([text, text]));
      const plain = Buffer.concat([frame.subarray(0, 7), stored, Buffer.from("plain"), le32(0)]);
      if (flags === 0x60) assert.equal(decompress("lz4", plain, limit).toString(), "plain");
    }),
  );
});

test("lz4: a block may reach back into the one before", () => {
  const first = lz4Block([{ literal: Buffer.from("abcd"), distance: 4, length: 4 }]);
  const second = lz4Block([{ literal: Buffer.from("!"), distance: 9, length: 8 }]);
  const text = decompress("lz4", lz4Frame([first, second], 0x40), limit);
  assert.equal(text.toString(), "abcdabcd!abcdabcd");
});

test("gzip and zstd: several members or frames, one after the other, and frames to skip", () => {
  const texts = [Buffer.from("abc".repeat(100_000)), Buffer.alloc(0), Buffer.from("def")];
  const whole = Buffer.concat(texts);
  const members = Buffer.concat(texts.map((text) => gzipSync(text)));
  assert.deepEqual(decompress("gzip", members, limit), whole);
  const skipped = Buffer.from("502a4d180400000001020304", "hex");
  const frames = Buffer.concat([skipped, ...texts.map((text) => zstdCompressSync(text)), skipped]);
  assert.deepEqual(decompress("zstd", frames, whole.length), whole);
  assert.throws(() => decompress("zstd", frames, whole.length - 1), { kind: "too-large" });
});

describe("more than may be", () => {
  const big = Buffer.alloc(1_000_000, 7);
  const run = { literal: Buffer.from([7]), distance: 1, length: 999_999 };
  const compressed = {
    gzip: gzipSync(big),
    zstd: zstdCompressSync(big),
    snappy: snappyBlock([run], big.length),
    lz4: lz4Frame([lz4Block([run])]),
  };
  for (const name of ["gzip", "zstd", "snappy", "lz4"] as const) {
    it(`${name}: is refused, and just enough is not`, () => {
      assert.deepEqual(decompress(name, compressed[name], big.length), big);
      for (const maxBytes of [big.length - 1, 1_000, 0]) {
        assert.throws(
          () => decompress(name, compressed[name], maxBytes),
          (error) => error instanceof BatchFault && error.kind === "too-large",
        );
      }
    });

    it(`${name}: mutated or cut off is a BatchFault or bytes within the limit`, () => {
      const whole = compressed[name];
      fc.assert(
        fc.property(fc.nat(), fc.nat(255), fc.nat(), (where, byte, cut) => {
          const bytes = Buffer.from(
            whole.subarray(0, whole.length - (cut % 4 ? 0 : cut % whole.length)),
          );
          if (bytes.length > 0) bytes[where % Math.min(bytes.length, 64)] = byte;
          try {
            assert.ok(decompress(name, bytes, 2_000_000).length <= 2_000_000);
          } catch (error) {
            assert.ok(error instanceof BatchFault, String(error));
          }
        }),
        { numRuns: 300 },
      );
    });
  }
});

test("noise is a BatchFault or bytes within the limit", () => {
  const names = fc.constantFrom("gzip", "zstd", "snappy", "lz4");
  const frame = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0]);
  fc.assert(
    fc.property(names, fc.uint8Array({ maxLength: 100 }), fc.boolean(), (name, noise, framed) => {
      const data = framed && name === "lz4" ? lz4Frame([Buffer.from(noise)]) : Buffer.from(noise);
      for (const bytes of [data, xerial(Buffer.from(noise)), Buffer.concat([frame, noise])]) {
        try {
          assert.ok(decompress(name, bytes, 100_000).length <= 100_000);
        } catch (error) {
          assert.ok(error instanceof BatchFault, String(error));
        }
      }
    }),
    { numRuns: 3_000 },
  );
});

test("a tiny snappy block that claims to be huge is refused before anything is allocated", () => {
  const claim = Buffer.from([0xff, 0xff, 0xff, 0x7f, 0, 65]);
  assert.throws(() => decompress("snappy", claim, 2 ** 31), /claims 268435455 bytes/);
});
