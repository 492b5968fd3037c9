import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createFrameDecoder,
  defaultLimits,
  emptyHeaders,
  encodeFrame,
  encodeHeaders,
  type Frame,
  WireError,
} from "./index.ts";

const ping: Frame = { type: "ping", nonce: 7 };

function bytesOf(frame: Frame): Buffer {
  return Buffer.concat(encodeFrame(frame));
}

function deliverOf(valueBytes: number, headers = emptyHeaders): Frame {
  const value = Buffer.alloc(valueBytes, 1);
  const record = { partition: 0, offset: 1, attempt: 1, leaseMs: 1, timestamp: -1, key: null };
  return {
    type: "deliver",
    requestId: 1,
    records: [{ ...record, value, headers }],
  };
}

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof WireError);
    return error.code;
  }
}

test("a length over the limit is refused with its fourth byte, and nothing is held", () => {
  const decoder = createFrameDecoder({ maxFrameBytes: 100 });
  decoder.push(Uint8Array.of(0, 0, 0));
  assert.equal(
    codeOf(() => decoder.push(Uint8Array.of(101))),
    "frame-too-large",
  );
  assert.ok(decoder.bufferedBytes <= 4);
});

test("a frame of exactly the limit is taken", () => {
  const data = bytesOf(ping);
  const decoder = createFrameDecoder({ maxFrameBytes: data.byteLength - 4 });
  assert.deepEqual(decoder.push(data), [ping]);
});

test("the limit can be raised between frames", () => {
  const big = deliverOf(1_000);
  const decoder = createFrameDecoder({ maxFrameBytes: 100 });
  assert.deepEqual(decoder.push(bytesOf(ping)), [ping]);
  decoder.maxFrameBytes = defaultLimits.maxFrameBytes;
  assert.equal(decoder.push(bytesOf(big)).length, 1);
});

test("a decoder that failed stays failed, with the same error", () => {
  const decoder = createFrameDecoder();
  const first = codeOf(() => decoder.push(Uint8Array.of(0, 0, 0, 0)));
  assert.equal(first, "malformed-frame");
  assert.equal(
    codeOf(() => decoder.push(bytesOf(ping))),
    first,
  );
});

test("a skipped frame is reported with its type and length", () => {
  const seen: [number, number][] = [];
  const decoder = createFrameDecoder({ onSkipped: (type, length) => seen.push([type, length]) });
  const frames = decoder.push(Buffer.concat([Buffer.from("000000034261ff", "hex"), bytesOf(ping)]));
  assert.deepEqual(frames, [ping]);
  assert.deepEqual(seen, [[0x42, 3]]);
});

test("byte fields of a frame in one chunk are views on it", () => {
  const data = bytesOf(deliverOf(50));
  const [frame] = createFrameDecoder().push(data);
  assert.equal(frame?.type === "deliver" && frame.records[0]?.value?.buffer, data.buffer);
});

test("a frame in many chunks is copied once: its byte fields share one buffer of its size", () => {
  const data = bytesOf(deliverOf(50_000, encodeHeaders([{ name: "a", value: null }])));
  const decoder = createFrameDecoder();
  decoder.push(data.subarray(0, 1_000));
  assert.equal(decoder.bufferedBytes, 1_000);
  const [frame] = decoder.push(data.subarray(1_000));
  assert.ok(frame?.type === "deliver");
  assert.equal(frame.records[0]?.value?.buffer.byteLength, data.byteLength - 4);
  assert.equal(frame.records[0]?.headers.buffer, frame.records[0]?.value?.buffer);
});

test("records without headers share their block, and a cut off one is none", () => {
  const data = bytesOf(deliverOf(10));
  const [frame] = createFrameDecoder().push(data);
  assert.ok(frame?.type === "deliver");
  assert.equal(frame.records[0]?.headers, emptyHeaders);
  assert.equal(frame.records[0]?.value?.byteLength, 10);

  const headersAt = data.byteLength - 10 - 4 - 1;
  const cut = Buffer.from(data.subarray(0, headersAt));
  cut.writeUInt32BE(cut.byteLength - 4);
  // What lies behind the frame is not its block.
  const both = Buffer.concat([cut, data.subarray(headersAt)]);
  assert.equal(
    codeOf(() => createFrameDecoder().push(both)),
    "malformed-frame",
  );
});

test("a large frame in chunks of one byte takes linear time", () => {
  const data = bytesOf(deliverOf(1_000_000));
  const decoder = createFrameDecoder();
  let frames = 0;
  for (let at = 0; at < data.byteLength; at++) {
    frames += decoder.push(data.subarray(at, at + 1)).length;
  }
  assert.equal(frames, 1);
});
