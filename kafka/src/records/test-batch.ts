// Batches as a broker would have them in its log, for the tests of this room.
import { crc32c } from "./crc32c.ts";
import { type DecodeOptions, decodeBatches } from "./decode.ts";
import { type EncodableRecord, encodeBatch } from "./encode.ts";
import { noHeaders } from "./headers.ts";
import { attribute, field, lengthEndsAt } from "./layout.ts";

export interface Shape {
  readonly baseOffset?: number;
  /** Default: that of the last record. */
  readonly lastOffsetDelta?: number;
  readonly attributes?: number;
  readonly producerId?: bigint;
  readonly maxTimestamp?: number;
  readonly compression?: "none" | "gzip" | "zstd";
  /** Removes the records and leaves the header, as compaction does. */
  readonly emptied?: boolean;
}

export function record(value: string, timestamp = 1_000): EncodableRecord {
  return { timestamp, key: null, value: Buffer.from(value), headers: noHeaders };
}

/** A batch as a broker would have it in its log. */
export function batch(values: readonly (string | EncodableRecord)[], shape: Shape = {}): Buffer {
  const records = values.map((value) => (typeof value === "string" ? record(value) : value));
  const { compression = "none" } = shape;
  let data = encodeBatch(records, { compression });
  if (shape.emptied) {
    data = Buffer.from(data.subarray(0, field.records));
    data.writeInt32BE(data.length - lengthEndsAt, field.length);
    data.writeInt32BE(0, field.recordCount);
  }
  data.writeBigInt64BE(BigInt(shape.baseOffset ?? 0), field.baseOffset);
  const attributes = data.readInt16BE(field.attributes) | (shape.attributes ?? 0);
  data.writeInt16BE(attributes, field.attributes);
  data.writeInt32BE(shape.lastOffsetDelta ?? records.length - 1, field.lastOffsetDelta);
  data.writeBigInt64BE(shape.producerId ?? -1n, field.producerId);
  if (shape.maxTimestamp !== undefined) {
    data.writeBigInt64BE(BigInt(shape.maxTimestamp), field.maxTimestamp);
  }
  return sealed(data);
}

export function sealed(data: Buffer): Buffer {
  data.writeUInt32BE(crc32c(data, field.attributes), field.crc);
  return data;
}

export function marker(baseOffset: number, producerId: bigint, emptied = false): Buffer {
  const attributes = attribute.control | attribute.transactional;
  return batch(["a marker"], { baseOffset, producerId, attributes, emptied });
}

export function transactional(baseOffset: number, producerId: bigint, ...values: string[]): Buffer {
  return batch(values, { baseOffset, producerId, attributes: attribute.transactional });
}

/** What is seen: offset and value of each record. */
export function seen(data: readonly Buffer[], options: Partial<DecodeOptions> = {}): string[] {
  const { records } = decodeBatches(Buffer.concat(data), { fetchOffset: 0, ...options });
  return records.map(({ offset, value }) => `${offset} ${value?.toString()}`);
}
