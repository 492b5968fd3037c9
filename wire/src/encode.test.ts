import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createFrameDecoder,
  type Delivery,
  deliveryBytes,
  DeliverySlab,
  encodeFrame,
  type Frame,
  frameBytes,
  type PreparedDelivery,
  WireError,
} from "./index.ts";

const record: Delivery = {
  partition: 0,
  offset: 1,
  attempt: 1,
  leaseMs: 3_000,
  timestamp: -1,
  key: null,
  value: null,
  headers: Uint8Array.of(0),
};

function decoded(frame: Frame): Frame | undefined {
  return createFrameDecoder().push(Buffer.concat(encodeFrame(frame)))[0];
}

function refuses(frame: Frame): void {
  assert.throws(
    () => encodeFrame(frame),
    (error) => error instanceof WireError && error.code === "not-encodable",
  );
}

test("big values are not copied, small ones go into one buffer", () => {
  const big = Buffer.alloc(1_024, 1);
  const small = Buffer.alloc(1_023, 2);
  const records = [
    { ...record, value: small },
    { ...record, key: small, value: big },
    { ...record, value: small },
  ];
  const chunks = encodeFrame({ type: "deliver", requestId: 1, records });
  assert.equal(chunks.length, 3);
  assert.equal(chunks[1], big);
  assert.equal(chunks[0]!.buffer, chunks[2]!.buffer);
});

test("a deliver that ends with a big value has no empty chunk behind it", () => {
  const value = Buffer.alloc(5_000);
  const frame: Frame = { type: "deliver", requestId: 1, records: [{ ...record, value }] };
  assert.deepEqual(
    encodeFrame(frame).map((chunk) => chunk.byteLength),
    [5 + 6 + 42 + 1, 5_000],
  );
});

/** Prepared one behind the other. */
function prepared(...records: Delivery[]): PreparedDelivery[] {
  const slab = new DeliverySlab(10_000);
  return records.map((each) => slab.prepare(each, each));
}

test("prepared records are the same bytes in a frame, and the same record", () => {
  const value = Buffer.alloc(700, 1);
  const records: Delivery[] = [
    { ...record, key: Buffer.from("k"), value },
    { ...record, offset: 2, value: Buffer.alloc(0) },
    { ...record, offset: 3, key: Buffer.alloc(0), headers: Buffer.from([2, 2, 97, 1]) },
    { ...record, offset: 4, timestamp: 1_700_000_000_000, value },
  ];
  const ahead = prepared(...records);
  for (const [i, made] of ahead.entries()) {
    const given = records[i]!;
    assert.deepEqual(made.key, given.key);
    assert.deepEqual(made.value, given.value);
    assert.deepEqual(made.headers, Buffer.from(given.headers));
    assert.equal(deliveryBytes(made), deliveryBytes(given));
  }
  const plain = { type: "deliver", requestId: 1 } as const;
  // Together, apart, out of order, and among others.
  for (const order of [[0, 1, 2, 3], [1], [3, 0], [0, 2, 3]]) {
    for (const encodedLate of [undefined, 1, 2]) {
      const pick = (from: readonly Delivery[]): Delivery[] =>
        order.map((i) => (i === encodedLate ? records[i]! : from[i]!));
      const frame: Frame = { ...plain, records: pick(ahead) };
      const expected: Frame = { ...plain, records: pick(records) };
      assert.deepEqual(Buffer.concat(encodeFrame(frame)), Buffer.concat(encodeFrame(expected)));
      assert.equal(frameBytes(frame), frameBytes(expected));
    }
  }
});

test("prepared records that stand together go out as one chunk, uncopied, and small ones copied", () => {
  const value = Buffer.alloc(600, 1);
  const ahead = prepared({ ...record, value }, { ...record, value }, { ...record, value });
  const together = encodeFrame({ type: "deliver", requestId: 1, records: ahead });
  assert.equal(together.length, 2);
  assert.equal(together[1]?.buffer, ahead[0]?.memory.buffer);
  const apart = encodeFrame({ type: "deliver", requestId: 1, records: [ahead[0]!, ahead[2]!] });
  assert.equal(apart.length, 1);
});

function ack(partition: number, first: number, last: number): Frame {
  return { type: "ack", ranges: [{ partition, first, last }] };
}

test("values that have no encoding are refused", () => {
  refuses(ack(-1, 0, 0));
  refuses(ack(2 ** 31, 0, 0));
  refuses(ack(0.5, 0, 0));
  refuses(ack(Number.NaN, 0, 0));
  refuses(ack(0, -1, 0));
  refuses(ack(0, 0, 2 ** 53));
  refuses(ack(0, 2, 1));
  refuses({ type: "ping", nonce: 2 ** 32 });
  refuses({ type: "available", offerId: 0, count: 1 });
  refuses({ type: "credit", requestId: 1, delta: 2 ** 31 });
  refuses({ type: "release", records: [{ ...record, attempt: 0 }] });
  refuses({ type: "deliver", requestId: 1, records: Array.from({ length: 65_536 }, () => record) });
  refuses({ type: "cancel", reason: "tired" as "stale", records: [] });
});

function reasonOf(reason: string): string | undefined {
  const frame = decoded({ type: "goaway", graceMs: 0, reason });
  return frame?.type === "goaway" ? frame.reason : undefined;
}

test("a name that is too long is refused, words for people are cut at a character", () => {
  const welcome = { type: "welcome", protocol: 1, features: [], sessionId: "", resumed: false };
  const limits = {
    ackTimeoutMs: 1,
    maxProcessingTimeMs: 1,
    maxPullMessages: 1,
    maxPullBytes: 1,
    maxFrameBytes: 1,
    heartbeatIntervalMs: 1,
  };
  refuses({ ...welcome, instance: "x".repeat(65_536), limits } as unknown as Frame);
  assert.equal(reasonOf("x".repeat(4_096)), "x".repeat(4_096));
  assert.equal(reasonOf("x".repeat(100_000)), "x".repeat(4_096));
  assert.equal(reasonOf(`xx${"€".repeat(2_000)}`), `xx${"€".repeat(1_364)}`);
  assert.equal(reasonOf(`x${"🙂".repeat(2_000)}`), `x${"🙂".repeat(1_023)}`);
  assert.equal(reasonOf(`${"x".repeat(4_095)}🙂`), "x".repeat(4_095));
  assert.equal(reasonOf("a lone \ud800 surrogate"), "a lone \ufffd surrogate");
});

test("durations become whole milliseconds, at least 0", () => {
  const leaseOf = (leaseMs: number) => {
    const frame = decoded({ type: "deliver", requestId: 1, records: [{ ...record, leaseMs }] });
    return frame?.type === "deliver" ? frame.records[0]?.leaseMs : undefined;
  };
  assert.equal(leaseOf(2_999.7), 2_999);
  assert.equal(leaseOf(-0.5), 0);
  assert.equal(leaseOf(Number.POSITIVE_INFINITY), 0xffff_ffff);
  const nack: Frame = { type: "nack", record, delayMs: 1.9, reason: "" };
  const frame = decoded(nack);
  assert.equal(frame?.type === "nack" && frame.delayMs, 1);
});
