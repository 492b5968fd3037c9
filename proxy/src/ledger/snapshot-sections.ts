/** The sections of a snapshot, each within the bytes that it is given; what does not fit is left out from the far end. */
import type { Offset } from "@kafkaproxy/wire";
import type { CountedRecord, DyingRecords, Run } from "./snapshot-content.ts";
import { varintBytes, VarintWriter } from "./varints.ts";

/** A section's own number of entries takes at most this. */
export const countBytes = 3;

/** Returns the indices of the counts that were left out. `end` is where the writer must stop. */
export function encodeCounts(
  writer: VarintWriter,
  watermark: Offset,
  counts: readonly CountedRecord[],
  mustKeep: (index: number) => boolean,
  end: number,
): Set<number> {
  const leftOut = new Set<number>();
  let room = end - writer.bytes.length - countBytes;
  room -= bytesOfCounts(watermark, counts, mustKeep);
  let before = watermark;
  for (const [index, record] of counts.entries()) {
    if (!mustKeep(index)) {
      // The next one's distance gets shorter by this one's: counting this one's alone is never too little.
      const bytes = varintBytes(record.offset - before) + varintBytes(pack(record));
      if (bytes > room) {
        leftOut.add(index);
        continue;
      }
      room -= bytes;
    }
    before = record.offset;
  }
  if (room < 0) leaveOutFarEnd(counts, leftOut, -room, watermark);
  writer.varint(counts.length - leftOut.size);
  before = watermark;
  for (const [index, record] of counts.entries()) {
    if (leftOut.has(index)) continue;
    writer.varint(record.offset - before);
    writer.varint(pack(record));
    before = record.offset;
  }
  return leftOut;
}

/** Recorded counts always fit again, unless counts grow by digits; then the far end goes. */
function leaveOutFarEnd(
  counts: readonly CountedRecord[],
  leftOut: Set<number>,
  excess: number,
  watermark: Offset,
): void {
  let over = excess;
  for (let index = counts.length - 1; index >= 0 && over > 0; index -= 1) {
    const record = counts[index];
    if (record === undefined || leftOut.has(index)) continue;
    leftOut.add(index);
    const before = counts[index - 1]?.offset ?? watermark;
    over -= varintBytes(record.offset - before) + varintBytes(pack(record));
  }
}

function bytesOfCounts(
  watermark: Offset,
  counts: readonly CountedRecord[],
  counted: (index: number) => boolean,
): number {
  let bytes = 0;
  let before = watermark;
  for (const [index, record] of counts.entries()) {
    if (!counted(index)) continue;
    bytes += varintBytes(record.offset - before) + varintBytes(pack(record));
    before = record.offset;
  }
  return bytes;
}

function pack(record: CountedRecord): number {
  return record.deliveries * 2 + Number(record.out);
}

/** Less than this holds no run. */
const leastGroupBytes = 10;

/** Returns false when any was left out. */
export function encodeDying(
  writer: VarintWriter,
  watermark: Offset,
  dying: readonly DyingRecords[],
  end: number,
): boolean {
  const groups = new VarintWriter();
  const room = end - writer.bytes.length - countBytes;
  let written = 0;
  let all = true;
  for (const { deliveries, rejected, runs } of dying) {
    if (room - groups.bytes.length < leastGroupBytes) {
      all = false;
      break;
    }
    groups.varint(deliveries * 2 + Number(rejected));
    if (encodeSet(groups, watermark, runs, room) !== undefined) all = false;
    written += 1;
  }
  writer.varint(written);
  writer.append(groups);
  return all;
}

/** Returns false when runs were left out. */
export function encodeOut(
  writer: VarintWriter,
  watermark: Offset,
  out: readonly Run[],
  end: number,
): boolean {
  const fitting = fittingRuns(watermark, out, end - writer.bytes.length - countBytes);
  writeRuns(writer, watermark, out, fitting);
  return fitting === out.length;
}

/**
 * Writes offsets as runs or as a bitmap: what reaches farther, and where both reach the end, what is shorter.
 * Returns the offset below which all were written; undefined when all were.
 */
export function encodeSet(
  writer: VarintWriter,
  watermark: Offset,
  runs: readonly Run[],
  end: number,
): Offset | undefined {
  const room = end - writer.bytes.length - 1 - countBytes;
  const fitting = fittingRuns(watermark, runs, room);
  const runsHorizon = runs[fitting]?.[0];
  const start = runs[0]?.[0] ?? watermark;
  const span = (runs.at(-1)?.[1] ?? start - 1) - start + 1;
  const bitmapBytes = Math.min(Math.ceil(span / 8), room - varintBytes(start - watermark));
  const bitmapHorizon = bitmapBytes * 8 < span ? start + Math.max(0, bitmapBytes) * 8 : undefined;
  const asBitmap =
    bitmapBytes > 0 &&
    (runsHorizon === bitmapHorizon
      ? bitmapBytes + varintBytes(start - watermark) < bytesOfRuns(watermark, runs, fitting)
      : (bitmapHorizon ?? Infinity) > (runsHorizon ?? Infinity));
  writer.byte(asBitmap ? 1 : 0);
  if (asBitmap) {
    writer.varint(start - watermark);
    writeBitmap(writer, start, runs, bitmapBytes);
    return bitmapHorizon;
  }
  writeRuns(writer, watermark, runs, fitting);
  return runsHorizon;
}

function writeBitmap(
  writer: VarintWriter,
  start: Offset,
  runs: readonly Run[],
  length: number,
): void {
  const bitmap = new Uint8Array(length);
  for (const [first, last] of runs) {
    const to = Math.min(last - start, length * 8 - 1);
    for (let bit = first - start; bit <= to; bit += 1) {
      bitmap[bit >> 3] = (bitmap[bit >> 3] ?? 0) | (1 << (bit & 7));
    }
  }
  writer.varint(length);
  for (const byte of bitmap) writer.byte(byte);
}

function writeRuns(
  writer: VarintWriter,
  watermark: Offset,
  runs: readonly Run[],
  length: number,
): void {
  writer.varint(length);
  let at = watermark;
  for (const [first, last] of runs.slice(0, length)) {
    writer.varint(first - at);
    writer.varint(last - first + 1);
    at = last + 1;
  }
}

/** How many of `runs`, from the near end, fit into `room` bytes. */
function fittingRuns(watermark: Offset, runs: readonly Run[], room: number): number {
  let bytes = 0;
  let at = watermark;
  for (const [index, [first, last]] of runs.entries()) {
    bytes += varintBytes(first - at) + varintBytes(last - first + 1);
    if (bytes > room) return index;
    at = last + 1;
  }
  return runs.length;
}

function bytesOfRuns(watermark: Offset, runs: readonly Run[], length: number): number {
  let bytes = 0;
  let at = watermark;
  for (const [first, last] of runs.slice(0, length)) {
    bytes += varintBytes(first - at) + varintBytes(last - first + 1);
    at = last + 1;
  }
  return bytes;
}
