import { BatchFault } from "./batch-fault.ts";

const frameMagic = 0x184d2204;
const version = 0x40;
const flag = { version: 0xc0, blockChecksum: 0x10, contentSize: 0x08, dictionary: 0x01 } as const;
const uncompressedBlock = 0x80000000;
const blockBytes = new Map([
  [4, 64 * 1024],
  [5, 256 * 1024],
  [6, 1024 * 1024],
  [7, 4 * 1024 * 1024],
]);

/** A length byte of 255 is the densest there is. */
const maxExpansion = 255;
const minMatch = 4;

interface Block {
  readonly start: number;
  readonly end: number;
  readonly compressed: boolean;
}

/**
 * Reads one LZ4 frame. Its own checksums (xxHash) are skipped: the batch's CRC-32C covers the
 * compressed bytes, and Kafka's reader does not look at the content checksum either.
 */
export function lz4Decompress(data: Buffer, maxBytes: number): Buffer {
  const { maxBlockBytes, blocks } = parseFrame(data);
  let bound = 0;
  for (const { start, end, compressed } of blocks) {
    bound += Math.min(maxBlockBytes, compressed ? (end - start) * maxExpansion : end - start);
  }
  // The frame does not say how long it is; the bound is less than a block off.
  const output = Buffer.allocUnsafeSlow(Math.min(bound, maxBytes));
  let length = 0;
  for (const block of blocks) {
    const blockEnd = length + maxBlockBytes;
    const limit = Math.min(output.length, blockEnd);
    const overflow = limit < blockEnd && output.length < bound ? "too-large" : "broken";
    length = block.compressed
      ? decodeBlock(data, block, output, length, limit, overflow)
      : copyBlock(data, block, output, length, limit, overflow);
  }
  // Slices of the result keep all of it in memory.
  return length * 2 < output.length
    ? Buffer.from(output.subarray(0, length))
    : output.subarray(0, length);
}

function parseFrame(data: Buffer): { maxBlockBytes: number; blocks: Block[] } {
  if (data.length < 7 || data.readUInt32LE(0) !== frameMagic) throw broken("not an LZ4 frame");
  const flags = data.readUInt8(4);
  if ((flags & flag.version) !== version) throw broken("a frame version other than 1");
  if (flags & flag.dictionary) throw broken("a frame with a dictionary");
  const maxBlockBytes = blockBytes.get((data.readUInt8(5) >>> 4) & 7);
  if (maxBlockBytes === undefined) throw broken("an unknown block size");
  const checksumBytes = flags & flag.blockChecksum ? 4 : 0;
  let position = 6 + (flags & flag.contentSize ? 8 : 0) + 1;
  const blocks: Block[] = [];
  for (;;) {
    if (position + 4 > data.length) throw broken("the end mark is missing");
    const header = data.readUInt32LE(position);
    if (header === 0) return { maxBlockBytes, blocks };
    const start = position + 4;
    const end = start + (header & ~uncompressedBlock);
    if (end + checksumBytes > data.length) throw broken("a block is cut off");
    blocks.push({ start, end, compressed: header < uncompressedBlock });
    position = end + checksumBytes;
  }
}

type Overflow = "broken" | "too-large";

function copyBlock(
  input: Buffer,
  block: Block,
  output: Buffer,
  outputAt: number,
  outputEnd: number,
  overflow: Overflow,
): number {
  const end = outputAt + block.end - block.start;
  if (end > outputEnd) throw overflowed(overflow);
  input.copy(output, outputAt, block.start, block.end);
  return end;
}

/** Returns where the output ends. A match may reach into earlier blocks: all stand in one buffer. */
function decodeBlock(
  input: Buffer,
  block: Block,
  output: Buffer,
  outputAt: number,
  outputEnd: number,
  overflow: Overflow,
): number {
  const inputEnd = block.end;
  let from = block.start;
  let to = outputAt;
  while (from < inputEnd) {
    const token = byteAt(input, from++);

    let literals = token >>> 4;
    if (literals === 15) {
      let byte = 255;
      while (byte === 255 && from < inputEnd) literals += byte = byteAt(input, from++);
    }
    if (from + literals > inputEnd) throw broken("a literal is cut off");
    if (to + literals > outputEnd) throw overflowed(overflow);
    if (literals > 32) input.copy(output, to, from, from + literals);
    else for (let i = 0; i < literals; i++) output[to + i] = byteAt(input, from + i);
    from += literals;
    to += literals;
    if (from === inputEnd) return to; // the last sequence has no match

    if (from + 2 > inputEnd) throw broken("a match is cut off");
    const distance = byteAt(input, from) | (byteAt(input, from + 1) << 8);
    from += 2;
    let length = (token & 15) + minMatch;
    if (length === 15 + minMatch) {
      let byte = 255;
      while (byte === 255 && from < inputEnd) length += byte = byteAt(input, from++);
    }
    if (distance === 0 || distance > to) throw broken("a match reaches too far back");
    if (to + length > outputEnd) throw overflowed(overflow);
    if (length > 64 && distance >= length) {
      output.copyWithin(to, to - distance, to - distance + length);
    } else if (length > 64 && distance === 1) {
      output.fill(byteAt(output, to - 1), to, to + length);
    } else {
      // Byte by byte: a match may overlap itself, and then repeats what it has just written.
      for (let i = 0; i < length; i++) output[to + i] = byteAt(output, to - distance + i);
    }
    to += length;
  }
  throw broken("a block ends within a sequence");
}

function byteAt(data: Buffer, index: number): number {
  return data[index] as number;
}

function overflowed(kind: Overflow): BatchFault {
  return kind === "broken"
    ? broken("a block is longer than the frame allows")
    : new BatchFault("too-large", "lz4: more than may be decompressed");
}

function broken(what: string): BatchFault {
  return new BatchFault("broken", `lz4: ${what}`);
}
