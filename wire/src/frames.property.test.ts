// Loose, because a Buffer is to equal a Uint8Array of the same bytes.
import { deepEqual as sameValues } from "node:assert";
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  appendHeaders,
  cancelReasons,
  createFrameDecoder,
  decodeHeaders,
  deliveryBytes,
  encodeFrame,
  encodeHeaders,
  errorCodes,
  type Frame,
  type FrameType,
  frameBytes,
  WireError,
} from "./index.ts";

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.oneof(fc.nat(9), fc.integer({ min: 0, max: 0xffff_ffff }));
const id = fc.integer({ min: 1, max: 0xffff_ffff });
const i32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const partition = fc.oneof(fc.nat(9), fc.nat(0x7fff_ffff));
const offset = fc.oneof(fc.nat(99), fc.maxSafeNat());
const text = fc.string({ unit: "grapheme", maxLength: 20 });
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc.integer({ min: 1_020, max: 1_028 }).map((length) => new Uint8Array(length).fill(7)),
);
const nullableBytes = fc.option(bytes);
const ref = fc.record({ partition, offset, attempt: id });
const range = fc
  .tuple(partition, offset, offset)
  .map(([partition, a, b]) => ({ partition, first: Math.min(a, b), last: Math.max(a, b) }));
const list = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 5 });
const header = fc.record({ name: text, value: fc.option(fc.uint8Array({ maxLength: 12 })) });

type Fields<T extends FrameType> = {
  [K in Exclude<keyof Extract<Frame, { type: T }>, "type">]: fc.Arbitrary<
    Extract<Frame, { type: T }>[K]
  >;
};

/** Every frame type must be here: a new one does not compile until it is. */
const fields: { [T in FrameType]: Fields<T> } = {
  hello: {
    minProtocol: u16,
    maxProtocol: u16,
    features: list(text),
    sessionId: text,
    token: text,
    namespace: text,
    topic: text,
    consumerGroup: text,
    mode: fc.constantFrom("pull", "push"),
    clientName: text,
  },
  welcome: {
    protocol: u16,
    features: list(text),
    sessionId: text,
    resumed: fc.boolean(),
    instance: text,
    limits: fc.record({
      ackTimeoutMs: u32,
      maxProcessingTimeMs: u32,
      maxPullMessages: u32,
      maxPullBytes: u32,
      maxFrameBytes: u32,
      heartbeatIntervalMs: u32,
    }),
  },
  owned: { partitions: list(partition), generation: u32 },
  pull: {
    requestId: id,
    maxMessages: u32,
    maxBytes: u32,
    waitMs: u32,
    wait: fc.constantFrom("claim", "offer"),
    offerId: u32,
  },
  available: { offerId: id, count: u32 },
  deliver: {
    requestId: u32,
    records: list(
      fc.record({
        partition,
        offset,
        attempt: id,
        leaseMs: u32,
        timestamp: fc.maxSafeInteger(),
        key: nullableBytes,
        value: nullableBytes,
        headers: fc.oneof(list(header).map(encodeHeaders), bytes),
      }),
    ),
  },
  ack: { ranges: list(range) },
  settled: { ranges: list(range) },
  nack: { record: ref, delayMs: fc.oneof(fc.constant(-1), fc.nat()), reason: text },
  reject: { record: ref, reason: text },
  extend: { all: fc.boolean(), except: list(range), records: list(ref) },
  release: { records: list(ref) },
  present: {
    leaseMs: u32,
    records: list(
      fc.record({
        partition,
        offset,
        attempt: id,
        state: fc.constantFrom<("held" | "acked")[]>("held", "acked"),
      }),
    ),
  },
  credit: { requestId: u32, delta: i32 },
  cancel: { reason: fc.constantFrom(...cancelReasons), records: list(ref) },
  ping: { nonce: u32 },
  pong: { nonce: u32 },
  goaway: { graceMs: u32, reason: text },
  error: { code: fc.constantFrom(...errorCodes), message: text, records: list(ref) },
};

const frame: fc.Arbitrary<Frame> = fc.oneof(
  ...Object.entries(fields as Record<string, Record<string, fc.Arbitrary<unknown>>>).map(
    ([type, of]) =>
      fc.record(
        { type: fc.constant(type), ...of },
        { noNullPrototype: true },
      ) as unknown as fc.Arbitrary<Frame>,
  ),
);

function encodeAll(frames: readonly Frame[]): Buffer {
  return Buffer.concat(frames.flatMap((frame) => encodeFrame(frame)));
}

/** The pieces of `data` between the cuts; each a copy, as a socket gives them. */
function split(data: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = cuts.map((cut) => cut % (data.byteLength + 1)).sort((a, b) => a - b);
  return [0, ...at].map((start, i) => data.slice(start, at[i] ?? data.byteLength));
}

test("any split of any sequence of frames decodes to the same frames", () => {
  const cuts = fc.oneof(fc.array(fc.nat(), { maxLength: 8 }), fc.constant("every byte" as const));
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 6 }), cuts, (frames, cuts) => {
      const data = encodeAll(frames);
      const decoder = createFrameDecoder();
      const chunks =
        cuts === "every byte" ? Array.from(data, (byte) => Uint8Array.of(byte)) : split(data, cuts);
      const decoded = chunks.flatMap((chunk) => decoder.push(chunk));
      sameValues(decoded, frames);
      assert.equal(decoder.bufferedBytes, 0);
    }),
    { numRuns: 3_000 },
  );
});

test("frameBytes is the size of what encodeFrame gives, and a deliver is its records and 11 bytes", () => {
  fc.assert(
    fc.property(frame, (frame) => {
      const size = encodeAll([frame]).byteLength;
      assert.equal(frameBytes(frame), size);
      if (frame.type === "deliver") {
        assert.equal(
          frame.records.reduce((sum, record) => sum + deliveryBytes(record), 11),
          size,
        );
      }
    }),
    { numRuns: 2_000 },
  );
});

/** Decodes hostile bytes: frames or a WireError, memory inside the limit, and failed once is failed for good. */
function survive(data: Uint8Array, cuts: readonly number[]): void {
  const maxFrameBytes = 4_096;
  const decoder = createFrameDecoder({ maxFrameBytes });
  let failure: unknown;
  for (const chunk of split(data, cuts)) {
    try {
      decoder.push(chunk);
      assert.equal(failure, undefined);
    } catch (error) {
      assert.ok(error instanceof WireError, String(error));
      assert.equal(error, failure ?? error);
      failure = error;
    }
    assert.ok(decoder.bufferedBytes <= maxFrameBytes + 4);
  }
}

const cuts = fc.array(fc.nat(), { maxLength: 4 });

test("mutated and truncated frames give an error or frames", () => {
  const mutation = fc.tuple(fc.nat(), fc.nat(255));
  fc.assert(
    fc.property(
      fc.array(frame, { minLength: 1, maxLength: 3 }),
      fc.array(mutation, { maxLength: 4 }),
      fc.nat(),
      cuts,
      (frames, mutations, cutOff, cuts) => {
        const data = encodeAll(frames);
        for (const [at, value] of mutations) {
          data[at % data.byteLength] = value;
        }
        survive(data.subarray(0, data.byteLength - (cutOff % 3)), cuts);
      },
    ),
    { numRuns: 6_000 },
  );
});

test("random bytes behind any type byte give an error or frames", () => {
  fc.assert(
    fc.property(fc.nat(255), fc.uint8Array({ maxLength: 80 }), cuts, (typeByte, body, cuts) => {
      const data = Buffer.alloc(5 + body.byteLength);
      data.writeUInt32BE(1 + body.byteLength);
      data[4] = typeByte;
      data.set(body, 5);
      survive(data, cuts);
      survive(body, cuts);
    }),
    { numRuns: 6_000 },
  );
});

test("headers go round, and random blocks give an error or headers", () => {
  fc.assert(
    fc.property(list(header), list(header), fc.uint8Array({ maxLength: 30 }), (a, b, noise) => {
      sameValues(decodeHeaders(appendHeaders(encodeHeaders(a), b)), [...a, ...b]);
      try {
        decodeHeaders(noise);
      } catch (error) {
        assert.ok(error instanceof WireError, String(error));
      }
    }),
    { numRuns: 3_000 },
  );
});
