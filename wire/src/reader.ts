import { emptyHeaders } from "./headers.ts";
import { WireError } from "./wire-error.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const noBytes = new Uint8Array(0);
/** Before a byte field. */
const lengthBytes = 4;

/**
 * Reads big-endian values from a slice of `bytes`; throws `malformed-frame` at its end.
 *
 * Shifts instead of a DataView: no object a frame, and V8 keeps the values as small integers.
 */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  u16(): number {
    const at = this.#take(2);
    return (this.#byte(at) << 8) | this.#byte(at + 1);
  }

  i32(): number {
    const at = this.#take(4);
    return this.#i32At(at);
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  /** A u64 that is a safe integer. */
  u64(): number {
    const at = this.#take(8);
    const high = this.#i32At(at) >>> 0;
    if (high > 0x1fffff) {
      throw malformed(`a 64-bit value is above 2^53-1 (its upper half is ${high})`);
    }
    return high * 0x1_0000_0000 + (this.#i32At(at + 4) >>> 0);
  }

  /** An i64 that is a safe integer. */
  i64(): number {
    const at = this.#take(8);
    const value = this.#i32At(at) * 0x1_0000_0000 + (this.#i32At(at + 4) >>> 0);
    if (!Number.isSafeInteger(value)) {
      throw malformed(`a signed 64-bit value is outside -(2^53-1) to 2^53-1`);
    }
    return value;
  }

  string(): string {
    const length = this.u16();
    if (length === 0) {
      return "";
    }
    const at = this.#take(length);
    try {
      return utf8.decode(this.#bytes.subarray(at, at + length));
    } catch (cause) {
      throw malformed(`a string of ${length} bytes is not UTF-8`, cause);
    }
  }

  /** A view, not a copy. A block without headers is the same one each time: most records have it. */
  headerBlock(): Uint8Array | null {
    const block = this.#at + lengthBytes;
    if (this.remaining > lengthBytes && this.#i32At(this.#at) === 1 && this.#byte(block) === 0) {
      this.#at = block + 1;
      return emptyHeaders;
    }
    return this.nullableBytes();
  }

  /** A view, not a copy. */
  nullableBytes(): Uint8Array | null {
    const length = this.i32();
    if (length === 0) {
      return noBytes;
    }
    if (length === -1) {
      return null;
    }
    if (length < 0) {
      throw malformed(`a byte field has the length ${length}; allowed is -1 or more`);
    }
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** Checks a count against what is left before anybody makes room for that many. */
  expectAtLeast(count: number, minItemBytes: number): void {
    if (count * minItemBytes > this.remaining) {
      throw malformed(
        `a list of ${count} items of at least ${minItemBytes} bytes does not fit in the ${this.remaining} bytes left`,
      );
    }
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) {
      throw malformed(`${length} bytes are needed, ${this.#end - at} are left`);
    }
    this.#at = at + length;
    return at;
  }

  // Callers have checked the bounds with #take: `?? 0` never happens, and says so to the compiler for free.
  #byte(at: number): number {
    return this.#bytes[at] ?? 0;
  }

  #i32At(at: number): number {
    return (
      (this.#byte(at) << 24) |
      (this.#byte(at + 1) << 16) |
      (this.#byte(at + 2) << 8) |
      this.#byte(at + 3)
    );
  }
}

export function malformed(what: string, cause?: unknown): WireError {
  return new WireError(
    "malformed-frame",
    `Not a valid frame: ${what}. The peer is faulty or speaks another protocol; the connection can't go on.`,
    cause === undefined ? undefined : { cause },
  );
}
