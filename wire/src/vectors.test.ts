import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  createFrameDecoder,
  decodeHeaders,
  encodeFrame,
  encodeHeaders,
  type Frame,
  frameBytes,
  type RecordHeader,
  WireError,
} from "./index.ts";

interface Vectors {
  frames: { name: string; frame: Frame; bytes: string }[];
  reading: { name: string; bytes: string; frames: Frame[] }[];
  refused: { name: string; bytes: string; error: string }[];
  headers: { name: string; headers: RecordHeader[]; bytes: string }[];
  headersReading: { name: string; headers: RecordHeader[]; bytes: string }[];
  headersRefused: { name: string; bytes: string }[];
}

/** Files of earlier protocol versions stay in this list. */
const files = ["v1.json"];

/** Hex in the fields that are bytes, so that both sides compare as plain values. */
const byteFields = new Set(["key", "value", "headers"]);

function fromHex<T>(json: T): T {
  return JSON.parse(JSON.stringify(json), (name, value: unknown) =>
    byteFields.has(name) && typeof value === "string" ? Buffer.from(value, "hex") : value,
  ) as T;
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return Buffer.from(value).toString("hex");
  }
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
  }
  return value;
}

for (const file of files) {
  const path = new URL(`../testdata/${file}`, import.meta.url);
  const vectors = JSON.parse(readFileSync(path, "utf8")) as Vectors;

  test(`${file}: every frame is encoded to its bytes and back`, () => {
    for (const { name, frame, bytes } of vectors.frames) {
      const value = fromHex(frame);
      assert.equal(Buffer.concat(encodeFrame(value)).toString("hex"), bytes, name);
      assert.equal(frameBytes(value) * 2, bytes.length, name);
      const decoded = createFrameDecoder().push(Buffer.from(bytes, "hex"));
      assert.deepEqual(plain(decoded), [frame], name);
    }
  });

  test(`${file}: every frame type has a vector`, () => {
    const bytes = vectors.frames.map((vector) => vector.bytes.slice(8, 10));
    assert.equal(new Set(bytes).size, 19);
  });

  test(`${file}: what a later version may send is read as documented`, () => {
    for (const { name, frames, bytes } of vectors.reading) {
      const decoded = createFrameDecoder().push(Buffer.from(bytes, "hex"));
      assert.deepEqual(plain(decoded), frames, name);
    }
  });

  test(`${file}: what is no frame is refused with its code, whole and byte by byte`, () => {
    for (const { name, error, bytes } of vectors.refused) {
      const data = Buffer.from(bytes, "hex");
      const refusal = (thrown: unknown) => thrown instanceof WireError && thrown.code === error;
      assert.throws(() => createFrameDecoder().push(data), refusal, name);
      const decoder = createFrameDecoder();
      assert.throws(() => data.forEach((byte) => decoder.push(Uint8Array.of(byte))), refusal, name);
    }
  });

  test(`${file}: header blocks`, () => {
    for (const { name, headers, bytes } of vectors.headers) {
      const encoded = encodeHeaders(fromHex(headers));
      assert.equal(Buffer.from(encoded).toString("hex"), bytes, name);
    }
    for (const { name, headers, bytes } of [...vectors.headers, ...vectors.headersReading]) {
      assert.deepEqual(plain(decodeHeaders(Buffer.from(bytes, "hex"))), headers, name);
    }
    for (const { name, bytes } of vectors.headersRefused) {
      assert.throws(
        () => decodeHeaders(Buffer.from(bytes, "hex")),
        (thrown) => thrown instanceof WireError && thrown.code === "malformed-headers",
        name,
      );
    }
  });
}
