import { BatchFault } from "./batch-fault.ts";

/** The header of xerial's stream format, which Java producers write: magic, version, compatible version. */
const xerialMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const xerialHeaderBytes = xerialMagic.length + 8;

/** No snappy tag yields more than 64 bytes from 3, or 11 from 2. */
const maxExpansion = 22;

/** Reads both forms in use: xerial's stream of blocks (Java), and one bare block (librdkafka, Go). */
export function snappyDecompress(data: Buffer, maxBytes: number): Buffer {
  const blocks = isXerial(data) ? xerialBlocks(data) : [data];
  const parts = blocks.map(parseBlock);
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  if (total > maxBytes)
    throw new BatchFault(
      "too-large",
      `snappy: ${total} bytes, of which ${maxBytes} may be decompressed`,
    );
  const output = Buffer.allocUnsafeSlow(total);
  let position = 0;
  for (const { block, bodyAt, length } of parts) {
    decodeBlock(block, bodyAt, output, position, position + length);
    position += length;
  }
  return output;
}

function isXerial(data: Buffer): boolean {
  return data.length >= xerialHeaderBytes && data.subarray(0, 8).equals(xerialMagic);
}

function xerialBlocks(data: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  let position = xerialHeaderBytes;
  while (position < data.length) {
    if (position + 4 > data.length) throw broken("a block's length is cut off");
    const start = position + 4;
    const end = start + data.readUInt32BE(position);
    if (end > data.length) throw broken("a block is cut off");
    blocks.push(data.subarray(start, end));
    position = end;
  }
  return blocks;
}

interface Block {
  readonly block: Buffer;
  readonly bodyAt: number;
  /** Decompressed. */
  readonly length: number;
}

/** A block begins with its decompressed length as a varint. */
function parseBlock(block: Buffer): Block {
  let length = 0;
  let factor = 1;
  for (let bodyAt = 0; bodyAt < 5; ) {
    const byte = block[bodyAt++];
    if (byte === undefined) break;
    length += (byte & 127) * factor;
    factor *= 128;
    if (byte < 128) {
      if (length > block.length * maxExpansion) throw broken(`a block claims ${length} bytes`);
      return { block, bodyAt, length };
    }
  }
  throw broken("a block has no valid length");
}

function decodeBlock(
  input: Buffer,
  bodyAt: number,
  output: Buffer,
  outputAt: number,
  outputEnd: number,
): void {
  let from = bodyAt;
  let to = outputAt;
  while (from < input.length) {
    const tag = byteAt(input, from++);
    const kind = tag & 3;
    let length: number;
    if (kind === 0) {
      length = (tag >>> 2) + 1;
      if (length > 60) {
        const lengthBytes = length - 60;
        if (from + lengthBytes > input.length) throw broken("a literal is cut off");
        length = input.readUIntLE(from, lengthBytes) + 1;
        from += lengthBytes;
      }
      if (from + length > input.length) throw broken("a literal is cut off");
      if (to + length > outputEnd) throw broken("a block is longer than it claims");
      if (length > 32) input.copy(output, to, from, from + length);
      else for (let i = 0; i < length; i++) output[to + i] = byteAt(input, from + i);
      from += length;
    } else {
      let distance: number;
      if (kind === 1) {
        if (from + 1 > input.length) throw broken("a copy is cut off");
        length = ((tag >>> 2) & 7) + 4;
        distance = ((tag >>> 5) << 8) | byteAt(input, from);
        from += 1;
      } else {
        const distanceBytes = kind === 2 ? 2 : 4;
        if (from + distanceBytes > input.length) throw broken("a copy is cut off");
        length = (tag >>> 2) + 1;
        distance = input.readUIntLE(from, distanceBytes);
        from += distanceBytes;
      }
      if (distance === 0 || distance > to - outputAt) throw broken("a copy reaches too far back");
      if (to + length > outputEnd) throw broken("a block is longer than it claims");
      // Byte by byte: a copy may overlap itself, and then repeats what it has just written.
      for (let i = 0; i < length; i++) output[to + i] = byteAt(output, to - distance + i);
    }
    to += length;
  }
  if (to !== outputEnd) throw broken("a block is shorter than it claims");
}

function byteAt(data: Buffer, index: number): number {
  return data[index] as number;
}

function broken(what: string): BatchFault {
  return new BatchFault("broken", `snappy: ${what}`);
}
