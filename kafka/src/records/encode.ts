import { KafkaError } from "../errors.ts";
import { compress, type WritableCompression } from "./compression.ts";
import { crc32c } from "./crc32c.ts";
import { compressions, field, lengthEndsAt, magicV2, writeInt64 as putInt64 } from "./layout.ts";
import { int32Bytes, int64Bytes, writeInt32, writeInt64 } from "./varint.ts";

export interface EncodableRecord {
  /** Milliseconds; -1 for none. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** The raw block, as `KafkaRecord.headers` or `encodeHeaders` have it. */
  readonly headers: Uint8Array;
}

/**
 * One record batch of version 2, from a producer that is neither idempotent nor transactional. The
 * bytes of keys, values and header blocks go in as they are. Offsets count from 0: the broker sets them.
 */
export function encodeBatch(
  records: readonly EncodableRecord[],
  options: { readonly compression?: WritableCompression } = {},
): Buffer {
  const first = records[0];
  if (first === undefined) throw new KafkaError("bad-arguments", "a batch of no records");
  const compression = options.compression ?? "none";
  const baseTimestamp = first.timestamp;
  const sizes = records.map((record, index) => bodyBytes(record, index, baseTimestamp));
  const payloadBytes = sizes.reduce((sum, size) => sum + int32Bytes(size) + size, 0);
  if (payloadBytes > 0x7fffffff - field.records) {
    throw new KafkaError(
      "record-too-large",
      `a batch of ${payloadBytes} bytes; 2 GiB is the limit`,
    );
  }

  let batch = Buffer.allocUnsafe(field.records + payloadBytes);
  let position: number = field.records;
  let maxTimestamp = baseTimestamp;
  for (const [index, record] of records.entries()) {
    position = writeInt32(batch, sizes[index] as number, position);
    position = writeBody(batch, position, record, index, baseTimestamp);
    maxTimestamp = Math.max(maxTimestamp, record.timestamp);
  }
  if (compression !== "none") {
    const payload = compress(compression, batch.subarray(field.records));
    batch = Buffer.concat([batch.subarray(0, field.records), payload]);
  }

  putInt64(batch, 0, field.baseOffset);
  batch.writeInt32BE(batch.length - lengthEndsAt, field.length);
  batch.writeInt32BE(-1, field.leaderEpoch);
  batch.writeInt8(magicV2, field.magic);
  batch.writeInt16BE(compressions.indexOf(compression), field.attributes);
  batch.writeInt32BE(records.length - 1, field.lastOffsetDelta);
  putInt64(batch, baseTimestamp, field.baseTimestamp);
  putInt64(batch, maxTimestamp, field.maxTimestamp);
  putInt64(batch, -1, field.producerId);
  batch.writeInt16BE(-1, field.producerEpoch);
  batch.writeInt32BE(-1, field.baseSequence);
  batch.writeInt32BE(records.length, field.recordCount);
  batch.writeUInt32BE(crc32c(batch, field.attributes), field.crc);
  return batch;
}

/** Without the length in front. */
function bodyBytes(record: EncodableRecord, index: number, baseTimestamp: number): number {
  const { timestamp, headers } = record;
  if (!Number.isInteger(timestamp) || Math.abs(timestamp) >= 2 ** 63) {
    throw new KafkaError("bad-arguments", `timestamp ${timestamp} is not a whole 64-bit number`);
  }
  if (headers.length === 0) {
    throw new KafkaError("bad-arguments", "an empty header block: no headers are one byte of 0");
  }
  return (
    1 +
    int64Bytes(timestamp - baseTimestamp) +
    int32Bytes(index) +
    fieldBytes(record.key) +
    fieldBytes(record.value) +
    headers.length
  );
}

function fieldBytes(bytes: Uint8Array | null): number {
  return bytes === null ? 1 : int32Bytes(bytes.length) + bytes.length;
}

function writeBody(
  batch: Buffer,
  at: number,
  record: EncodableRecord,
  index: number,
  baseTimestamp: number,
): number {
  let position = at;
  batch[position++] = 0; // attributes: none are defined
  position = writeInt64(batch, record.timestamp - baseTimestamp, position);
  position = writeInt32(batch, index, position);
  position = writeField(batch, position, record.key);
  position = writeField(batch, position, record.value);
  batch.set(record.headers, position);
  return position + record.headers.length;
}

function writeField(batch: Buffer, at: number, bytes: Uint8Array | null): number {
  const position = writeInt32(batch, bytes?.length ?? -1, at);
  if (bytes === null) return position;
  batch.set(bytes, position);
  return position + bytes.length;
}
