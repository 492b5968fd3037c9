import { BatchFault } from "./batch-fault.ts";

/** Reads zigzag varints one after the other from a part of a buffer. */
export class VarintReader {
  readonly data: Buffer;
  readonly end: number;
  position: number;

  constructor(data: Buffer, start: number, end: number) {
    this.data = data;
    this.position = start;
    this.end = end;
  }

  /** A 32-bit number. */
  int32(): number {
    if (this.position >= this.end) throw cutOff();
    const first = this.data[this.position++] as number;
    if (first < 128) return (first >>> 1) ^ -(first & 1);
    let value = first & 127;
    for (let shift = 7; shift < 35; shift += 7) {
      if (this.position >= this.end) throw cutOff();
      const byte = this.data[this.position++] as number;
      value |= (byte & 127) << shift;
      if (byte < 128) return (value >>> 1) ^ -(value & 1);
    }
    throw new BatchFault("broken", "a 32-bit varint of more than 5 bytes");
  }

  /** A 64-bit number; beyond 2^53 the nearest double. */
  int64(): number {
    if (this.position >= this.end) throw cutOff();
    const first = this.data[this.position++] as number;
    // The lowest bit is the sign, so that the rest can be added up without losing bits below 2^53.
    let value = (first & 127) >>> 1;
    let byte = first;
    for (let factor = 64; byte >= 128; factor *= 128) {
      if (factor > 2 ** 62) throw new BatchFault("broken", "a 64-bit varint of more than 10 bytes");
      if (this.position >= this.end) throw cutOff();
      byte = this.data[this.position++] as number;
      value += (byte & 127) * factor;
    }
    return first & 1 ? -value - 1 : value;
  }
}

function cutOff(): BatchFault {
  return new BatchFault("broken", "a record is cut off");
}

/** Bytes of a 32-bit number as a zigzag varint. */
export function int32Bytes(value: number): number {
  const bits = 32 - Math.clz32((value << 1) ^ (value >> 31));
  return bits === 0 ? 1 : Math.ceil(bits / 7);
}

export function int64Bytes(value: number): number {
  let rest = Math.floor((value < 0 ? -value - 1 : value) / 64);
  let bytes = 1;
  for (; rest > 0; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Both writers return where the number ends. */
export function writeInt32(data: Uint8Array, value: number, at: number): number {
  let position = at;
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  for (; rest > 127; rest >>>= 7) data[position++] = (rest & 127) | 128;
  data[position++] = rest;
  return position;
}

export function writeInt64(data: Uint8Array, value: number, at: number): number {
  let position = at;
  const magnitude = value < 0 ? -value - 1 : value;
  let group = (magnitude % 64) * 2 + (value < 0 ? 1 : 0);
  let rest = Math.floor(magnitude / 64);
  while (rest > 0) {
    data[position++] = group | 128;
    group = rest % 128;
    rest = Math.floor(rest / 128);
  }
  data[position++] = group;
  return position;
}
