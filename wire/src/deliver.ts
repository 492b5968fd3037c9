import type { Deliver, Delivery } from "./frames.ts";
import type { Field } from "./fields.ts";
import { readAttempt, readPartition, wholeMs, writeAttempt } from "./fields.ts";
import { malformed, type Reader } from "./reader.ts";
import { outOfRange, type Writer } from "./writer.ts";

/** partition 4, offset 8, attempt 4, lease 4, timestamp 8, tagged section 2, then three lengths of 4. */
const recordBytes = 42;

/**
 * What a deliver takes besides its records, counted as `maxFrameBytes` counts (type, requestId, count).
 * A list of records fits in a frame when the sum of their `deliveryBytes` and this is at most `maxFrameBytes`.
 */
export const deliverOverheadBytes = 7;

/** Encoded size of one delivery in bytes: what it takes of a pull's `maxBytes`. */
export function deliveryBytes(delivery: Delivery): number {
  return (
    recordBytes +
    (delivery.key?.byteLength ?? 0) +
    delivery.headers.byteLength +
    (delivery.value?.byteLength ?? 0)
  );
}

/** Told of every byte field, so that the encoder may put it beside the buffer instead of into it. */
export type PutBytes = (writer: Writer, bytes: Uint8Array) => void;

export function writeDeliver(writer: Writer, frame: Deliver, put: PutBytes): void {
  writer.u32(frame.requestId);
  writer.u16(frame.records.length);
  for (const record of frame.records) {
    writer.u31(record.partition);
    writer.u64(record.offset);
    writeAttempt(writer, record.attempt);
    writer.u32(wholeMs(record.leaseMs));
    writer.i64(record.timestamp);
    writer.u16(0); // no tags in this version
    writeBytes(writer, record.key, put);
    writeBytes(writer, record.headers, put);
    writeBytes(writer, record.value, put);
  }
}

function writeBytes(writer: Writer, bytes: Uint8Array | null, put: PutBytes): void {
  if (bytes === null) {
    writer.i32(-1);
    return;
  }
  writer.i32(bytes.byteLength);
  put(writer, bytes);
}

export const deliver: Field<Deliver> = {
  size(frame) {
    if (frame.records.length > 0xffff) {
      throw outOfRange(frame.records.length, "0 to 2^16-1 (records of a deliver)");
    }
    let size = deliverOverheadBytes - 1;
    for (const record of frame.records) {
      size += deliveryBytes(record);
    }
    return size;
  },
  write: (writer, frame) => writeDeliver(writer, frame, (to, bytes) => to.raw(bytes)),
  read(reader) {
    const requestId = reader.u32();
    const count = reader.u16();
    reader.expectAtLeast(count, recordBytes);
    const records: Delivery[] = [];
    for (let i = 0; i < count; i++) {
      records.push(readDelivery(reader));
    }
    return { type: "deliver", requestId, records };
  },
};

function readDelivery(reader: Reader): Delivery {
  const partition = readPartition(reader);
  const offset = reader.u64();
  const attempt = readAttempt(reader);
  const leaseMs = reader.u32();
  const timestamp = reader.i64();
  reader.skip(reader.u16()); // the tagged section: no tag means anything to this version
  const key = reader.nullableBytes();
  const headers = reader.nullableBytes();
  const value = reader.nullableBytes();
  if (headers === null) {
    throw malformed("the header block of a record is null");
  }
  return { partition, offset, attempt, leaseMs, timestamp, key, value, headers };
}
