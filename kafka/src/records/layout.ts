/**
 * Where the fields of a record batch of version 2 stand, in bytes from its start
 * (https://kafka.apache.org/documentation/#recordbatch). All numbers are big endian.
 */
export const field = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
  records: 61,
} as const;

/** The length field counts what comes after it. */
export const lengthEndsAt = field.length + 4;

export const magicV2 = 2;

/** Bits of the attributes. */
export const attribute = {
  compression: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
} as const;

/** The order is the number on the wire. */
export const compressions = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

export type Compression = (typeof compressions)[number];

const two32 = 2 ** 32;

/** A signed 64-bit number; beyond 2^53 the nearest double. */
export function readInt64(data: Buffer, at: number): number {
  return data.readInt32BE(at) * two32 + data.readUInt32BE(at + 4);
}

export function writeInt64(data: Buffer, value: number, at: number): void {
  const high = Math.floor(value / two32);
  data.writeInt32BE(high, at);
  data.writeUInt32BE(value - high * two32, at + 4);
}
