import type { Frame } from "./frames.ts";
import { criticalBit, layoutByTypeByte } from "./frame-types.ts";
import { defaultLimits } from "./limits.ts";
import { malformed, Reader } from "./reader.ts";
import { WireError } from "./wire-error.ts";

const lengthBytes = 4;

/** Settings of a decoder. */
export interface FrameDecoderOptions {
  /** Largest length prefix taken, in bytes. Default: `defaultLimits.maxFrameBytes` (16 MiB + 64 KiB). */
  readonly maxFrameBytes?: number;
  /** Told of every frame of an unknown type that was skipped. */
  readonly onSkipped?: (typeByte: number, lengthBytes: number) => void;
}

/** Turns the bytes of one connection into frames. */
export interface FrameDecoder {
  /**
   * The frames that are complete with this chunk, in order; often none.
   *
   * Byte fields are views on `chunk`, or on one copy where a frame came in several chunks: `chunk`
   * must not be written to afterwards, and who keeps a small field for long copies it.
   *
   * @throws WireError `frame-too-large`, `malformed-frame`, `unknown-critical-frame` or
   *   `not-a-client`. The frames before the bad one are lost; the decoder stays failed, and throws
   *   the same error at every later call.
   */
  push(chunk: Uint8Array): Frame[];
  /** Largest length prefix taken from now on; a session raises it when it knows its peer. */
  maxFrameBytes: number;
  /** Bytes of an incomplete frame that are held: at most `maxFrameBytes` plus 4. */
  readonly bufferedBytes: number;
}

/** A decoder for one connection. */
export function createFrameDecoder(options: FrameDecoderOptions = {}): FrameDecoder {
  return new Decoder(options);
}

class Decoder implements FrameDecoder {
  maxFrameBytes: number;
  readonly #onSkipped: ((typeByte: number, lengthBytes: number) => void) | undefined;
  /** The length prefix of the frame that is coming in, as far as it is there. */
  #length = 0;
  #lengthSeen = 0;
  /** The body that is coming in; undefined between frames. */
  #body: Buffer | undefined;
  #bodySeen = 0;
  #failure: WireError | undefined;

  constructor(options: FrameDecoderOptions) {
    this.maxFrameBytes = options.maxFrameBytes ?? defaultLimits.maxFrameBytes;
    this.#onSkipped = options.onSkipped;
  }

  get bufferedBytes(): number {
    return this.#lengthSeen + this.#bodySeen;
  }

  push(chunk: Uint8Array): Frame[] {
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
    try {
      return this.#decode(chunk);
    } catch (error) {
      if (error instanceof WireError) {
        this.#failure = error;
        this.#body = undefined;
      }
      throw error;
    }
  }

  #decode(chunk: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    const end = chunk.byteLength;
    let at = this.#fillBody(chunk, frames);
    while (at < end) {
      while (this.#lengthSeen < lengthBytes && at < end) {
        this.#length = ((this.#length << 8) | (chunk[at++] ?? 0)) >>> 0;
        this.#lengthSeen++;
      }
      if (this.#lengthSeen < lengthBytes) {
        break;
      }
      const length = this.#length;
      this.#checkLength(length);
      if (length <= end - at) {
        this.#decodeBody(chunk, at, at + length, frames);
        at += length;
        this.#nextFrame();
        continue;
      }
      // Pages that no byte has come for yet are not touched, so a lie in the prefix costs no memory.
      this.#body = Buffer.allocUnsafeSlow(length);
      this.#body.set(chunk.subarray(at));
      this.#bodySeen = end - at;
      at = end;
    }
    return frames;
  }

  /** Goes on with a frame that began in an earlier chunk; returns how much of the chunk that took. */
  #fillBody(chunk: Uint8Array, frames: Frame[]): number {
    const body = this.#body;
    if (body === undefined) {
      return 0;
    }
    const taken = Math.min(body.byteLength - this.#bodySeen, chunk.byteLength);
    body.set(taken === chunk.byteLength ? chunk : chunk.subarray(0, taken), this.#bodySeen);
    this.#bodySeen += taken;
    if (this.#bodySeen === body.byteLength) {
      this.#decodeBody(body, 0, body.byteLength, frames);
      this.#nextFrame();
    }
    return taken;
  }

  #nextFrame(): void {
    this.#length = 0;
    this.#lengthSeen = 0;
    this.#body = undefined;
    this.#bodySeen = 0;
  }

  #checkLength(length: number): void {
    if (length === 0) {
      throw malformed("its length is 0, and every frame has a type byte");
    }
    if (length > this.maxFrameBytes) {
      throw new WireError(
        "frame-too-large",
        `A frame of ${length} bytes is announced; allowed are ${this.maxFrameBytes}. Send less at once, or raise the limit; a number this large may also mean that the peer speaks another protocol.`,
      );
    }
  }

  #decodeBody(bytes: Uint8Array, start: number, end: number, frames: Frame[]): void {
    const typeByte = bytes[start] ?? 0;
    const layout = layoutByTypeByte[typeByte];
    if (layout !== undefined) {
      frames.push(layout.body.read(new Reader(bytes, start + 1, end)));
      return;
    }
    const name = `0x${typeByte.toString(16).padStart(2, "0")}`;
    if (typeByte === 0) {
      throw malformed("its type is 0x00, which no version uses");
    }
    if ((typeByte & criticalBit) !== 0) {
      throw new WireError(
        "unknown-critical-frame",
        `A frame of the unknown type ${name} may not be ignored. The peer uses a feature that was not agreed on.`,
      );
    }
    this.#onSkipped?.(typeByte, end - start);
  }
}
