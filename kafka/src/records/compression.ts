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
  zstd: (data, maxBytes) => inflate("zstd", zstdDecompressSync, data, maxBytes),
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
