import { KafkaError } from "../errors.ts";
import { BatchFault } from "./batch-fault.ts";
import { int32Bytes, VarintReader, writeInt32 } from "./varint.ts";

/** In the record's order; names may repeat. */
export type RecordHeader = readonly [name: string, value: Uint8Array | null];

/** The header block of a record without headers. One for all of them: not to be written to. */
export const noHeaders: Buffer = Buffer.from([0]);

/** Names that are not valid UTF-8 come back with U+FFFD: to carry headers on, carry the block. */
export function decodeHeaders(block: Uint8Array): [name: string, value: Buffer | null][] {
  const data = asBuffer(block);
  const headers: [string, Buffer | null][] = [];
  const reader = new VarintReader(data, 0, data.length);
  try {
    walkHeaders(reader, (name, nameEnd, value, valueEnd) => {
      headers.push([
        data.toString("utf8", name, nameEnd),
        valueEnd < 0 ? null : data.subarray(value, valueEnd),
      ]);
    });
    if (reader.position !== data.length) throw new BatchFault("broken", "bytes after the headers");
  } catch (error) {
    if (!(error instanceof BatchFault)) throw error;
    throw new KafkaError("bad-arguments", `not a header block: ${error.message}`, { cause: error });
  }
  return headers;
}

export function encodeHeaders(headers: readonly RecordHeader[]): Buffer {
  return headers.length === 0 ? noHeaders : appendHeaders(noHeaders, headers);
}

/** The headers of `block`, byte for byte as they are, and then `added`. */
export function appendHeaders(block: Uint8Array, added: readonly RecordHeader[]): Buffer {
  const data = asBuffer(block);
  const reader = new VarintReader(data, 0, data.length);
  const count = headerCount(reader) + added.length;
  const kept = data.subarray(reader.position);
  const names = added.map(([name]) => Buffer.from(name));
  let size = int32Bytes(count) + kept.length;
  for (const [index, [, value]] of added.entries()) {
    const nameBytes = names[index]?.length ?? 0;
    size += int32Bytes(nameBytes) + nameBytes + int32Bytes(value?.length ?? -1);
    size += value?.length ?? 0;
  }
  const result = Buffer.allocUnsafe(size);
  let position = writeInt32(result, count, 0);
  position += kept.copy(result, position);
  for (const [index, [, value]] of added.entries()) {
    position = writeBytes(result, names[index] ?? null, position);
    position = writeBytes(result, value, position);
  }
  return result;
}

function writeBytes(to: Buffer, bytes: Uint8Array | null, at: number): number {
  const position = writeInt32(to, bytes?.length ?? -1, at);
  if (bytes === null) return position;
  to.set(bytes, position);
  return position + bytes.length;
}

function headerCount(reader: VarintReader): number {
  try {
    return reader.int32();
  } catch (error) {
    throw new KafkaError("bad-arguments", "an empty header block: no headers are one byte of 0", {
      cause: error,
    });
  }
}

/** A null value has `valueEnd` -1. */
type Visit = (name: number, nameEnd: number, value: number, valueEnd: number) => void;

/** Goes over a header block from its count on, and throws a BatchFault where it is not one. */
export function walkHeaders(reader: VarintReader, visit?: Visit): void {
  const count = reader.int32();
  if (count < 0) throw new BatchFault("broken", `${count} headers`);
  for (let index = 0; index < count; index++) {
    const nameBytes = reader.int32();
    const name = reader.position;
    if (nameBytes < 0) throw new BatchFault("broken", "a header without a name");
    if (name + nameBytes > reader.end) throw new BatchFault("broken", "a header is cut off");
    reader.position = name + nameBytes;
    const valueBytes = reader.int32();
    const value = reader.position;
    if (valueBytes > 0) {
      if (value + valueBytes > reader.end) throw new BatchFault("broken", "a header is cut off");
      reader.position = value + valueBytes;
    }
    visit?.(name, name + nameBytes, value, valueBytes < 0 ? -1 : value + valueBytes);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
