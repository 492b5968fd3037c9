import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { BatchFault } from "./batch-fault.ts";
import type { Compression } from "./layout.ts";
import { lz4Decompress } from "./lz4.ts";
import { snappyDecompress } from "./snappy.ts";

/** What `encodeBatch` writes; the decoder reads all of them. */
export type WritableCompression = "none" | "gzip" | "zstd";

/** zlib grows its output by chunks of this: 16 KiB by default, many for a batch. */
const chunkSize = 256 * 1024;

const decompressors: Record<Compression, (data: Buffer, maxBytes: number) => Buffer> = {
  none: (data) => data,
  gzip: (data, maxBytes) => inflate("gzip", gunzipSync, data, maxBytes),
  zstd: zstdDecompress,
  snappy: snappyDecompress,
  lz4: lz4Decompress,
};

const compressors: Record<WritableCompression, (data: Buffer) => Buffer> = {
  none: (data) => data,
  gzip: (data) => gzipSync(data),
  zstd: (data) => zstdCompressSync(data),
};

/** Throws a BatchFault for more than `maxBytes`, before it has them, or for broken data. */
export function decompress(compression: Compression, data: Buffer, maxBytes: number): Buffer {
  return decompressors[compression](data, maxBytes);
}

export function compress(compression: WritableCompression, data: Buffer): Buffer {
  return compressors[compression](data);
}

/** Node reads one frame and says how far it came; the format allows several, and Kafka's reader takes them. */
function zstdDecompress(data: Buffer, maxBytes: number): Buffer {
  const frames: Buffer[] = [];
  let length = 0;
  for (let position = 0; position < data.length; ) {
    let consumed = 0;
    const run: Inflate = (rest, options) => {
      // The types do not know `info`: https://nodejs.org/api/zlib.html#class-options
      const found = zstdDecompressSync(rest, { ...options, info: true });
      const { buffer, engine } = found as unknown as WithInfo;
      consumed = engine.bytesWritten;
      return buffer;
    };
    const frame = inflate("zstd", run, data.subarray(position), maxBytes - length);
    if (consumed === 0) throw new BatchFault("broken", "zstd: not a frame");
    frames.push(frame);
    length += frame.length;
    position += consumed;
  }
  const [first] = frames;
  return frames.length === 1 && first !== undefined ? first : Buffer.concat(frames);
}

interface WithInfo {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

type Inflate = (data: Buffer, options: { maxOutputLength: number; chunkSize: number }) => Buffer;

function inflate(name: string, run: Inflate, data: Buffer, maxBytes: number): Buffer {
  try {
    return run(data, { maxOutputLength: Math.max(1, maxBytes), chunkSize });
  } catch (error) {
    const tooLarge = error instanceof RangeError;
    const words = error instanceof Error ? error.message : String(error);
    throw new BatchFault(tooLarge ? "too-large" : "broken", `${name}: ${words}`, error);
  }
}
