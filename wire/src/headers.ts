import { WireError } from "./wire-error.ts";

/*
 * A header block is the tail of a record in Kafka's record format v2: a count, then for each header
 * the name's length, the name, the value's length (-1 for null) and the value; all numbers are zigzag
 * varints of 32 bits. A block of no bytes is read as one of no headers.
 */

/** One header. Names may repeat, and the order means something to some readers. */
export interface RecordHeader {
  readonly name: string;
  readonly value: Uint8Array | null;
}

/** The block of a record without headers. */
export const emptyHeaders: Uint8Array = new Uint8Array([0]);

/** Kafka does not check that names are UTF-8; what isn't is shown with U+FFFD in its place. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** A name and a value have at least a length byte each. */
const minHeaderBytes = 2;

/**
 * The headers of a block, in order. Values are views on it.
 *
 * @throws WireError `malformed-headers`.
 */
export function decodeHeaders(block: Uint8Array): RecordHeader[] {
  const cursor = new Cursor(block);
  const count = cursor.count();
  const headers: RecordHeader[] = [];
  for (let i = 0; i < count; i++) {
    const name = cursor.bytes(cursor.varint());
    const valueBytes = cursor.varint();
    headers.push({
      name: utf8.decode(name),
      value: valueBytes === -1 ? null : cursor.bytes(valueBytes),
    });
  }
  if (cursor.at !== block.byteLength) {
    throw malformed(`${block.byteLength - cursor.at} bytes follow the last of ${count} headers`);
  }
  return headers;
}

/** The block of these headers. */
export function encodeHeaders(headers: readonly RecordHeader[]): Uint8Array {
  return appendHeaders(emptyHeaders, headers);
}

/**
 * The block with `headers` behind those it has, whose bytes stay as they are, valid UTF-8 or not.
 *
 * @throws WireError `malformed-headers` when the block's count can't be read.
 */
export function appendHeaders(block: Uint8Array, headers: readonly RecordHeader[]): Uint8Array {
  const cursor = new Cursor(block);
  const count = cursor.count() + headers.length;
  const kept = block.subarray(cursor.at);
  let size = varintBytes(count) + kept.byteLength;
  for (const { name, value } of headers) {
    const nameBytes = Buffer.byteLength(name);
    size += varintBytes(nameBytes) + nameBytes;
    size += value === null ? 1 : varintBytes(value.byteLength) + value.byteLength;
  }
  const result = Buffer.allocUnsafeSlow(size);
  let at = writeVarint(result, 0, count);
  result.set(kept, at);
  at += kept.byteLength;
  for (const { name, value } of headers) {
    at = writeVarint(result, at, Buffer.byteLength(name));
    at += result.write(name, at, "utf8");
    if (value === null) {
      at = writeVarint(result, at, -1);
    } else {
      at = writeVarint(result, at, value.byteLength);
      result.set(value, at);
      at += value.byteLength;
    }
  }
  return result;
}

class Cursor {
  readonly #block: Uint8Array;
  at = 0;

  constructor(block: Uint8Array) {
    this.#block = block;
  }

  /** The number of headers; what can't fit is refused before anybody loops that often. */
  count(): number {
    if (this.#block.byteLength === 0) {
      return 0;
    }
    const count = this.varint();
    const left = this.#block.byteLength - this.at;
    if (count < 0 || count * minHeaderBytes > left) {
      throw malformed(`its count is ${count} with ${left} bytes left`);
    }
    return count;
  }

  varint(): number {
    let raw = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#block[this.at];
      if (byte === undefined) {
        throw malformed(`it ends inside a number at byte ${this.at}`);
      }
      this.at++;
      raw |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        return (raw >>> 1) ^ -(raw & 1);
      }
    }
    throw malformed(`the number before byte ${this.at} is longer than 5 bytes`);
  }

  bytes(length: number): Uint8Array {
    const left = this.#block.byteLength - this.at;
    if (length < 0 || length > left) {
      throw malformed(`a length is ${length} at byte ${this.at}, with ${left} bytes left`);
    }
    const start = this.at;
    this.at += length;
    return this.#block.subarray(start, this.at);
  }
}

function malformed(what: string): WireError {
  return new WireError(
    "malformed-headers",
    `Not a valid header block: ${what}. It is not as Kafka's record format v2 has it.`,
  );
}

function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0;
}

function varintBytes(value: number): number {
  let rest = zigzag(value);
  let bytes = 1;
  while (rest >= 0x80) {
    rest >>>= 7;
    bytes++;
  }
  return bytes;
}

function writeVarint(target: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = zigzag(value);
  while (rest >= 0x80) {
    target[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[at++] = rest;
  return at;
}
