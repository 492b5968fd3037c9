import { WireError } from "./wire-error.ts";

/** Writes big-endian values into a buffer that has room for them, and checks that they have an encoding. */
export class Writer {
  readonly buffer: Buffer;
  #at: number;

  constructor(buffer: Buffer, at = 0) {
    this.buffer = buffer;
    this.#at = at;
  }

  /** Where the next value goes. */
  get position(): number {
    return this.#at;
  }

  /** `value` is one of our own constants, and not checked. */
  u8(value: number): void {
    this.buffer[this.#at++] = value;
  }

  u16(value: number): void {
    if ((value & 0xffff) !== value) {
      throw outOfRange(value, "0 to 2^16-1");
    }
    this.buffer[this.#at++] = value >>> 8;
    this.buffer[this.#at++] = value;
  }

  u31(value: number): void {
    if ((value & 0x7fff_ffff) !== value) {
      throw outOfRange(value, "0 to 2^31-1");
    }
    this.#put32(value);
  }

  u32(value: number): void {
    if (value >>> 0 !== value) {
      throw outOfRange(value, "0 to 2^32-1");
    }
    this.#put32(value);
  }

  i32(value: number): void {
    if ((value | 0) !== value) {
      throw outOfRange(value, "-2^31 to 2^31-1");
    }
    this.#put32(value);
  }

  u64(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw outOfRange(value, "0 to 2^53-1");
    }
    this.#put64(value);
  }

  i64(value: number): void {
    if (!Number.isSafeInteger(value)) {
      throw outOfRange(value, "-(2^53-1) to 2^53-1");
    }
    this.#put64(value);
  }

  /** A u16 byte length, then UTF-8; a lone surrogate becomes U+FFFD. */
  string(value: string): void {
    const start = this.#at + 2;
    const length = value === "" ? 0 : this.buffer.write(value, start, "utf8");
    this.u16(length);
    this.#at = start + length;
  }

  raw(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.#at);
    this.#at += bytes.byteLength;
  }

  #put32(value: number): void {
    const at = this.#at;
    this.buffer[at] = value >>> 24;
    this.buffer[at + 1] = value >>> 16;
    this.buffer[at + 2] = value >>> 8;
    this.buffer[at + 3] = value;
    this.#at = at + 4;
  }

  #put64(value: number): void {
    this.#put32(Math.floor(value / 0x1_0000_0000));
    this.#put32(value >>> 0);
  }
}

export function outOfRange(value: unknown, allowed: string): WireError {
  return new WireError(
    "not-encodable",
    `${String(value)} can't be encoded: allowed is a whole number of ${allowed}.`,
  );
}
