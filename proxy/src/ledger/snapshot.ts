/**
 * What a commit says beside the watermark, so that the next owner goes on where this one stopped.
 *
 * Bytes: version, flags (1: handed over, 2: something was left out), then four sections, then a CRC-32 over the watermark and all before it (so a snapshot is
 * valid with its own watermark only). Numbers are varints; offsets are distances from the watermark or from the
 * entry before.
 *   counts:  n, then n times (distance, deliveries * 2 + 1 when it is out)
 *   dying:   n, then n times (deliveries * 2 + 1 when rejected, set)
 *   out:     n, then n times (gap, length): runs that are out for the first time
 *   settled: set
 * A set is its kind, then runs: n, then n times (gap, length); or a bitmap: distance, n, n bytes, lowest bit first.
 * In commit metadata it is base64url, within the `MetadataRoom` that there is.
 */
import { crc32 } from "node:zlib";
import type { Offset } from "@kafkaproxy/wire";
import type { CountedRecord, DyingRecords, Run, Snapshot } from "./snapshot-content.ts";
import {
  countBytes,
  encodeCounts,
  encodeDying,
  encodeOut,
  encodeSet,
} from "./snapshot-sections.ts";
import { VarintReader, VarintWriter } from "./varints.ts";

const version = 2;
const flagsAt = 1;
const handedOverFlag = 1;
const partialFlag = 2;
const checksumBytes = 4;
/** No window has more out or dying than this; a snapshot that says so is broken. */
const maxNamed = 1_000_000;

export interface EncodedSnapshot {
  readonly metadata: string;
  /** Indices into `counts` of those that did not fit. */
  readonly countsLeftOut: ReadonlySet<number>;
  /** All that is settled below this offset is covered; undefined when all is. */
  readonly horizon: Offset | undefined;
  /** False when anything was left out. */
  readonly complete: boolean;
}

/** In at most `room` characters. `mustKeep` says which counts an earlier commit recorded: they have their places before all others. */
export function encodeMetadata(
  watermark: Offset,
  snapshot: Snapshot,
  mustKeep: (index: number) => boolean,
  room: number,
): EncodedSnapshot {
  const writer = start(snapshot);
  const end = Math.floor((room / 4) * 3) - checksumBytes;
  // Counts may take two thirds, and what is dying half of what they leave: beyond it a crash begins those again. What
  // is out for the first time has what all others leave: after a crash its holders present it. At a hand-over the
  // overflow has everything.
  const countsEnd = Math.floor((end * 2) / 3);
  const countsLeftOut = encodeCounts(writer, watermark, snapshot.counts, mustKeep, countsEnd);
  const dyingEnd = writer.bytes.length + Math.floor((end - writer.bytes.length) / 2);
  const allDying = encodeDying(writer, watermark, snapshot.dying, dyingEnd);
  const settled = new VarintWriter();
  const settledRoom = end - writer.bytes.length - countBytes;
  const horizon = encodeSet(settled, watermark, snapshot.settled, settledRoom);
  const allOut = encodeOut(writer, watermark, snapshot.out, end - settled.bytes.length);
  writer.append(settled);
  const complete = countsLeftOut.size === 0 && allDying && allOut && horizon === undefined;
  if (!complete) writer.bytes[flagsAt] = (writer.bytes[flagsAt] ?? 0) | partialFlag;
  const metadata = finish(writer, watermark).toString("base64url");
  return { metadata, countsLeftOut, horizon, complete };
}

/** The whole snapshot, whatever its size. */
export function encodeOverflow(watermark: Offset, snapshot: Snapshot): Uint8Array {
  const writer = start(snapshot);
  encodeCounts(writer, watermark, snapshot.counts, () => true, Number.POSITIVE_INFINITY);
  encodeDying(writer, watermark, snapshot.dying, Number.POSITIVE_INFINITY);
  encodeOut(writer, watermark, snapshot.out, Number.POSITIVE_INFINITY);
  encodeSet(writer, watermark, snapshot.settled, Number.POSITIVE_INFINITY);
  return finish(writer, watermark);
}

export type Decoded =
  | {
      readonly snapshot: Snapshot;
      /** False when something was left out. */
      readonly complete: boolean;
    }
  /** Words that go on after "The snapshot is ignored: ". */
  | { readonly problem: string };

export function decodeMetadata(watermark: Offset, metadata: string): Decoded {
  if (!/^[\w-]+$/.test(metadata)) return { problem: "it is not base64url" };
  return decodeOverflow(watermark, Buffer.from(metadata, "base64url"));
}

export function decodeOverflow(watermark: Offset, bytes: Uint8Array): Decoded {
  if (bytes[0] !== version) {
    return { problem: `its version is ${bytes[0] ?? "missing"}, this proxy reads ${version}` };
  }
  const body = bytes.subarray(0, -checksumBytes);
  if (!Buffer.from(bytes.subarray(-checksumBytes)).equals(checksum(body, watermark))) {
    return { problem: `its checksum does not fit its bytes at watermark ${watermark}` };
  }
  try {
    const snapshot = read(new VarintReader(body.subarray(flagsAt)), watermark);
    return { snapshot, complete: ((body[flagsAt] ?? 0) & partialFlag) === 0 };
  } catch (error) {
    if (error instanceof RangeError) return { problem: error.message };
    throw error;
  }
}

function start(snapshot: Snapshot): VarintWriter {
  const writer = new VarintWriter();
  writer.byte(version);
  writer.byte(snapshot.handedOver ? handedOverFlag : 0);
  return writer;
}

function finish(writer: VarintWriter, watermark: Offset): Buffer {
  const body = Buffer.from(writer.bytes);
  return Buffer.concat([body, checksum(body, watermark)]);
}

function checksum(body: Uint8Array, watermark: Offset): Buffer {
  const bytes = Buffer.alloc(checksumBytes);
  bytes.writeUInt32BE(crc32(body, crc32(String(watermark))));
  return bytes;
}

function read(reader: VarintReader, watermark: Offset): Snapshot {
  const handedOver = (reader.byte() & handedOverFlag) !== 0;
  const counts: CountedRecord[] = [];
  let at = watermark;
  for (let left = reader.varint(); left > 0; left -= 1) {
    at = safe(at + reader.varint());
    const packed = reader.varint();
    counts.push({ offset: at, deliveries: Math.floor(packed / 2), out: packed % 2 === 1 });
  }
  const dying: DyingRecords[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) {
    const packed = reader.varint();
    const runs = readSet(reader, watermark);
    dying.push({ deliveries: Math.floor(packed / 2), rejected: packed % 2 === 1, runs });
  }
  const out = readRuns(reader, watermark);
  if (lengthOf(out) + dying.reduce((sum, { runs }) => sum + lengthOf(runs), 0) > maxNamed) {
    throw new RangeError(`it says that more than ${maxNamed} records are out or dying`);
  }
  return { handedOver, counts, dying, out, settled: readSet(reader, watermark) };
}

function lengthOf(runs: readonly Run[]): number {
  return runs.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

function readSet(reader: VarintReader, watermark: Offset): Run[] {
  const kind = reader.byte();
  if (kind > 1) throw new RangeError(`its offsets are written in a way ${kind}`);
  return kind === 0 ? readRuns(reader, watermark) : readBitmap(reader, watermark);
}

function readRuns(reader: VarintReader, watermark: Offset): Run[] {
  const runs: Run[] = [];
  let at = watermark;
  for (let left = reader.varint(); left > 0; left -= 1) {
    const first = safe(at + reader.varint());
    at = safe(first + reader.varint());
    if (at === first) throw new RangeError("it has an empty run");
    runs.push([first, at - 1]);
  }
  return runs;
}

function readBitmap(reader: VarintReader, watermark: Offset): Run[] {
  const runs: Run[] = [];
  const base = safe(watermark + reader.varint());
  const bits = reader.varint() * 8;
  if (bits / 8 > reader.left) throw new RangeError("it ends early");
  let first = -1;
  let byte = 0;
  for (let bit = 0; bit <= bits; bit += 1) {
    if (bit % 8 === 0) byte = bit < bits ? reader.byte() : 0;
    const set = ((byte >> (bit % 8)) & 1) === 1;
    if (set && first < 0) first = base + bit;
    if (!set && first >= 0) {
      runs.push([first, base + bit - 1]);
      first = -1;
    }
  }
  return runs;
}

function safe(offset: number): Offset {
  if (!Number.isSafeInteger(offset)) throw new RangeError("it holds an offset above 2^53 - 1");
  return offset;
}
