import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { KafkaError } from "../errors.ts";
import { BatchDecoder, type DecodeOptions, decodeBatches } from "./decode.ts";
import { type EncodableRecord, encodeBatch } from "./encode.ts";
import { encodeHeaders } from "./headers.ts";
import { attribute, field } from "./layout.ts";
import { batch, marker, record, sealed, seen, transactional } from "./test-batch.ts";

function fails(data: Buffer, code: string, words: RegExp, options: Partial<DecodeOptions> = {}) {
  assert.throws(
    () => decodeBatches(data, { fetchOffset: 0, ...options }),
    (error) => error instanceof KafkaError && error.code === code && words.test(error.message),
  );
}

const anyRecord: fc.Arbitrary<EncodableRecord> = fc.record({
  timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: -1, max: 2 ** 42 })),
  key: fc.option(fc.uint8Array({ maxLength: 200 })),
  value: fc.option(fc.uint8Array({ maxLength: 3_000 })),
  headers: fc
    .array(fc.tuple(fc.string(), fc.option(fc.uint8Array({ maxLength: 90 }))), { maxLength: 4 })
    .map((headers) => encodeHeaders(headers)),
});
const anyRecords = fc.array(anyRecord, { minLength: 1, maxLength: 90 });
const anyCompression = fc.constantFrom("none", "gzip", "zstd");

describe("a batch", () => {
  it("comes back as it was encoded", () => {
    fc.assert(
      fc.property(anyRecords, anyCompression, (records, compression) => {
        const data = batch(records, { baseOffset: 7_000_000_000_000, compression });
        const decoded = decodeBatches(data, { fetchOffset: 0 });
        assert.equal(decoded.nextOffset, 7_000_000_000_000 + records.length);
        assert.equal(decoded.partial, false);
        const expected = records.map(({ timestamp, key, value, headers }, index) => ({
          offset: 7_000_000_000_000 + index,
          timestamp,
          key: key && Buffer.from(key),
          value: value && Buffer.from(value),
          headers: Buffer.from(headers),
        }));
        assert.deepEqual(decoded.records, expected);
      }),
    );
  });

  it("values are slices of the data: nothing is copied", () => {
    const data = batch(["value"]);
    const [only] = decodeBatches(data, { fetchOffset: 0 }).records;
    assert.equal(only?.value?.buffer, data.buffer);
  });

  it("keeps a timestamp in nanoseconds as near as a number can", () => {
    const data = batch([record("early", -1), record("late", 1.7e18)]);
    const { records } = decodeBatches(data, { fetchOffset: 0 });
    assert.deepEqual(
      records.map(({ timestamp }) => timestamp),
      [-1, 1.7e18],
    );
  });

  it("takes the append time for all its records when the broker set it", () => {
    const options = { attributes: attribute.logAppendTime, maxTimestamp: 5_555 };
    const data = batch([record("a", 1), record("b", 2)], options);
    const { records } = decodeBatches(data, { fetchOffset: 0 });
    assert.deepEqual(
      records.map(({ timestamp }) => timestamp),
      [5_555, 5_555],
    );
  });

  it("says how many bytes its records are", () => {
    const data = batch(["x".repeat(10_000), "y"], { compression: "zstd" });
    const { bytes } = decodeBatches(data, { fetchOffset: 0 });
    assert.ok(bytes > 10_000 && bytes < 10_030, String(bytes));
    assert.equal(decodeBatches(data, { fetchOffset: 2 }).bytes, 0);
  });
});

describe("the position", () => {
  it("leaves out what lies before it, in a batch and in whole batches", () => {
    const log = [batch(["a", "b", "c"]), batch(["d", "e"], { baseOffset: 3 })];
    assert.deepEqual(seen(log, { fetchOffset: 1 }), ["1 b", "2 c", "3 d", "4 e"]);
    assert.deepEqual(seen(log, { fetchOffset: 4 }), ["4 e"]);
    const after = decodeBatches(Buffer.concat(log), { fetchOffset: 9 });
    assert.deepEqual([after.records, after.nextOffset], [[], 9]);
  });

  it("crosses gaps, emptied batches and control batches", () => {
    const log = [
      batch(["a"], { baseOffset: 10, lastOffsetDelta: 4 }),
      batch(["gone"], { baseOffset: 20, lastOffsetDelta: 9, emptied: true }),
      batch(["gone"], { baseOffset: 30, emptied: true, compression: "gzip" }),
      batch(["leader change"], { baseOffset: 40, attributes: attribute.control }),
    ];
    const { records, nextOffset } = decodeBatches(Buffer.concat(log), { fetchOffset: 5 });
    assert.deepEqual([records.map(({ offset }) => offset), nextOffset], [[10], 41]);
    assert.equal(decodeBatches(log[1]!, { fetchOffset: 22 }).nextOffset, 30);
  });

  it("stays where no batch is complete", () => {
    const whole = batch(["a", "b"]);
    const none = decodeBatches(Buffer.alloc(0), { fetchOffset: 3 });
    assert.deepEqual(none, { records: [], nextOffset: 3, bytes: 0, partial: false });
    for (let length = 1; length < whole.length; length++) {
      const cut = decodeBatches(whole.subarray(0, length), { fetchOffset: 3 });
      assert.deepEqual(cut, { records: [], nextOffset: 3, bytes: 0, partial: true });
    }
  });

  it("stops before a batch that is cut off", () => {
    const log = Buffer.concat([batch(["a"]), batch(["b"], { baseOffset: 1 })]);
    const { records, nextOffset, partial } = decodeBatches(log.subarray(0, -1), { fetchOffset: 0 });
    assert.deepEqual([records.length, nextOffset, partial], [1, 1, true]);
  });
});

/** The values that each call gives, until one gives no more. */
function piecemeal(data: Buffer, options: Partial<DecodeOptions>): string[][] {
  const decoder = new BatchDecoder(data, { fetchOffset: 0, ...options });
  const calls: string[][] = [];
  for (;;) {
    const { records, partial } = decoder.next();
    calls.push(records.map(({ value }) => String(value).slice(0, 1)));
    if (!partial) return calls;
  }
}

function wide(letter: string, baseOffset: number, compression: "none" | "zstd"): Buffer {
  return batch([letter.repeat(100_000)], { baseOffset, compression });
}

describe("piece by piece", () => {
  it("a call ends with the batch that fills it, by what it holds decompressed", () => {
    for (const compression of ["none", "zstd"] as const) {
      const log = Buffer.concat(["a", "b", "c"].map((letter, at) => wide(letter, at, compression)));
      assert.deepEqual(piecemeal(log, { maxBytes: 150_000 }), [["a", "b"], ["c"]]);
      assert.deepEqual(piecemeal(log, { maxBytes: 100_000 }), [["a"], ["b"], ["c"]]);
      assert.deepEqual(piecemeal(log, { maxBytes: 1 }), [["a"], ["b"], ["c"]]);
      assert.deepEqual(piecemeal(log, {}), [["a", "b", "c"]]);
    }
  });

  it("a few KB that are 200 MB: no call holds more than its limit and one batch", () => {
    const bomb = Array.from({ length: 25 }, (_, at) =>
      batch([record("x".repeat(8_000_000))], { baseOffset: at, compression: "zstd" }),
    );
    const data = Buffer.concat(bomb);
    assert.ok(data.length < 64 * 1024, String(data.length));
    const decoder = new BatchDecoder(data, { fetchOffset: 0, maxBytes: 1024 * 1024 });
    for (let call = 1; call <= bomb.length; call++) {
      const { bytes, nextOffset, partial } = decoder.next();
      assert.ok(bytes < 9_000_000, `${bytes} bytes`);
      assert.deepEqual([nextOffset, partial], [call, call < bomb.length]);
    }
  });

  it("what is not to be decompressed holds for each call anew", () => {
    const log = Buffer.concat(["a", "b", "c"].map((letter, at) => wide(letter, at, "zstd")));
    const limits = { maxBytes: 1, maxDecompressedBytes: 110_000 };
    assert.deepEqual(piecemeal(log, limits), [["a"], ["b"], ["c"]]);
  });

  it("an aborted transaction that has ended does not hide what its producer wrote later", () => {
    const log = Buffer.concat([
      transactional(0, 7n, "aborted"),
      marker(1, 7n),
      batch(["between"], { baseOffset: 2 }),
      transactional(3, 7n, "kept"),
      marker(4, 7n),
    ]);
    const abortedTransactions = [{ producerId: 7n, firstOffset: 0 }];
    assert.deepEqual(piecemeal(log, { abortedTransactions, maxBytes: 1 }).flat(), ["b", "k"]);
  });

  it("a batch that can't be read ends a call, and fails the next one", () => {
    const bad = batch(["b"], { baseOffset: 1 });
    bad[field.records + 3]! ^= 1;
    const log = Buffer.concat([batch(["a"]), bad]);
    const decoder = new BatchDecoder(log, { fetchOffset: 0 });
    assert.equal(decoder.next().nextOffset, 1);
    assert.throws(() => decoder.next(), /offset 1: CRC-32C/);
    assert.throws(() => decoder.next(), /offset 1: CRC-32C/);
  });

  it("a cut off end is the same for every call", () => {
    const log = Buffer.concat([batch(["a"]), batch(["b"], { baseOffset: 1 })]);
    const decoder = new BatchDecoder(log.subarray(0, -1), { fetchOffset: 0 });
    for (const count of [1, 0, 0]) {
      const { records, nextOffset, partial } = decoder.next();
      assert.deepEqual([records.length, nextOffset, partial], [count, 1, true]);
    }
  });
});

describe("what can't be read", () => {
  it("a wrong checksum names the offset and both values", () => {
    const data = batch(["a"], { baseOffset: 77 });
    data[field.records + 3]! ^= 1;
    fails(data, "corrupt-batch", /offset 77: CRC-32C is [0-9a-f]{8}, but it says [0-9a-f]{8}/);
  });

  it("formats from before Kafka 0.11", () => {
    for (const magic of [0, 1]) {
      const data = batch(["a"]);
      data[field.magic] = magic;
      fails(data, "unsupported", new RegExp(`message format ${magic}`));
      fails(data.subarray(0, 20), "unsupported", /copy the topic/);
    }
    const later = batch(["a"]);
    later[field.magic] = 3;
    fails(later, "corrupt-batch", /magic byte 3/);
  });

  it("is an error only as the first: what precedes it is not lost", () => {
    const bad = batch(["c", "d"], { baseOffset: 2 });
    bad[bad.length - 1] = 9;
    sealed(bad);
    const log = Buffer.concat([batch(["a", "b"]), bad, batch(["e"], { baseOffset: 4 })]);
    const { records, nextOffset, partial } = decodeBatches(log, { fetchOffset: 0 });
    assert.deepEqual([records.length, nextOffset, partial], [2, 2, true]);
    fails(log, "corrupt-batch", /offset 2: the record at offset 3|offset 2: .*header/, {
      fetchOffset: 2,
    });
  });

  it("offsets that go back, between batches and in one", () => {
    const log = Buffer.concat([batch(["a", "b"]), batch(["c"], { baseOffset: 1 })]);
    assert.equal(decodeBatches(log, { fetchOffset: 0 }).nextOffset, 2);
    fails(batch(["a", "b"], { lastOffsetDelta: 0 }), "corrupt-batch", /offset 1 after 0/);
    fails(batch(["a"], { lastOffsetDelta: -1 }), "corrupt-batch", /last offset/);
    fails(batch(["a"], { baseOffset: Number.MAX_SAFE_INTEGER }), "corrupt-batch", /last offset/);
  });

  it("a count that is not the number of records, a length that is none, an unknown codec", () => {
    for (const [count, words] of [
      [1, /not all that it holds/],
      [3, /cut off/],
      [-1, /not all/],
    ] as const) {
      const data = batch(["a", "b"]);
      data.writeInt32BE(count, field.recordCount);
      fails(sealed(data), "corrupt-batch", words);
    }
    const short = batch(["a"]);
    short.writeInt32BE(-5, field.length);
    fails(short, "corrupt-batch", /length of -5/);
    fails(batch(["a"], { attributes: 6 }), "corrupt-batch", /unknown compression/);
    fails(batch(["a"], { attributes: 1 }), "corrupt-batch", /gzip: /);
  });

  it("more than may be decompressed: an error as the first, otherwise for the next fetch", () => {
    const values = ["x".repeat(5_000)];
    const log = Buffer.concat([
      batch(values, { compression: "gzip" }),
      batch(values, { compression: "zstd", baseOffset: 1 }),
    ]);
    const maxDecompressedBytes = 8_000;
    assert.equal(decodeBatches(log, { fetchOffset: 0, maxDecompressedBytes }).nextOffset, 1);
    fails(log, "record-too-large", /offset 0/, { maxDecompressedBytes: 4_000 });
  });

  it("any mutation, sealed again or not: an error or records within bounds", () => {
    const change = fc.record({ at: fc.nat(), byte: fc.nat(255) });
    const changes = fc.array(change, { minLength: 1, maxLength: 4 });
    const whole = fc.tuple(anyRecords, anyCompression, fc.boolean(), fc.boolean());
    fc.assert(
      fc.property(whole, changes, fc.nat(), ([records, compression, seal, front], list, cut) => {
        const data = batch(records, { baseOffset: 100, compression });
        const reach = front ? Math.min(data.length, field.records + 40) : data.length;
        for (const { at, byte } of list) data[at % reach] = byte;
        if (seal) sealed(data);
        const length = cut % 5 === 0 ? cut % data.length : data.length;
        try {
          const maxDecompressedBytes = 4 * 1024 * 1024;
          const decoded = decodeBatches(data.subarray(0, length), {
            fetchOffset: 100,
            abortedTransactions: [{ producerId: -1n, firstOffset: 0 }],
            maxDecompressedBytes,
          });
          assert.ok(decoded.nextOffset >= 100 && Number.isSafeInteger(decoded.nextOffset));
          let previous = 99;
          for (const { offset } of decoded.records) {
            assert.ok(offset > previous && offset < decoded.nextOffset);
            previous = offset;
          }
        } catch (error) {
          assert.ok(error instanceof KafkaError, String(error));
        }
      }),
      { numRuns: 3_000 },
    );
  });
});

function refused(run: () => Buffer, words: RegExp): void {
  assert.throws(
    run,
    (error) =>
      error instanceof KafkaError && error.code === "bad-arguments" && words.test(error.message),
  );
}

describe("encoding", () => {
  it("refuses what can't be a batch", () => {
    const one = record("a");
    refused(() => encodeBatch([]), /no records/);
    refused(() => encodeBatch([{ ...one, headers: Buffer.alloc(0) }]), /empty header block/);
    for (const timestamp of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 63]) {
      refused(() => encodeBatch([{ ...one, timestamp }]), /not a whole 64-bit number/);
    }
  });
});
