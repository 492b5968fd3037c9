import { KafkaError } from "../errors.ts";
import { type AbortedTransaction, AbortedRanges } from "./aborted.ts";
import { BatchFault } from "./batch-fault.ts";
import { decompress } from "./compression.ts";
import { crc32c } from "./crc32c.ts";
import { noHeaders, walkHeaders } from "./headers.ts";
import { attribute, compressions, field, lengthEndsAt, magicV2, readInt64 } from "./layout.ts";
import { VarintReader } from "./varint.ts";

/** Key, value and headers are slices: of the data decoded, or of what a batch decompressed to. */
export interface KafkaRecord {
  readonly offset: number;
  /** Milliseconds, as the topic's timestamp type has it; -1 for none. Beyond 2^53 the nearest double. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** The raw block: a zigzag varint count, then names and values. `decodeHeaders` reads it. */
  readonly headers: Buffer;
}

export interface DecodeOptions {
  /** Records below it are left out: the first batch may begin before. */
  readonly fetchOffset: number;
  /** As the fetch response lists them (read committed); their records are left out. */
  readonly abortedTransactions?: readonly AbortedTransaction[];
  /**
   * A call of `next` ends with the batch that brings it to so many bytes, decompressed. It takes one
   * whatever its size. Default: no such limit.
   */
  readonly maxBytes?: number;
  /** The most that one call decompresses: a batch beyond it can't be read. Default 256 MiB. */
  readonly maxDecompressedBytes?: number;
}

export interface DecodedBatches {
  readonly records: KafkaRecord[];
  /**
   * Where to go on: after the last batch that was read. It crosses compaction gaps, control batches
   * and aborted transactions, so it moves even when there are no records. Where the call began when
   * the data holds not one more complete batch.
   */
  readonly nextOffset: number;
  /** Size of `records`: keys, values and headers, decompressed, with a few bytes for each. */
  readonly bytes: number;
  /**
   * The data goes on after `nextOffset`: with what `maxBytes` left for the next call, a cut off batch
   * (normal), or one that can't be read.
   */
  readonly partial: boolean;
}

const defaultMaxDecompressedBytes = 256 * 1024 * 1024;

/**
 * Decodes what a fetch returned for one partition, some batches a call: record batches of version 2,
 * with their CRC-32C checked; the last may be cut off. A compressed answer is many times larger
 * decoded: who takes it piece by piece holds one piece, and no more.
 */
export class BatchDecoder {
  readonly #data: Buffer;
  readonly #fetchOffset: number;
  readonly #maxBytes: number;
  readonly #maxDecompressedBytes: number;
  readonly #aborted: AbortedRanges;
  #nextOffset: number;
  #position = 0;

  constructor(data: Buffer, options: DecodeOptions) {
    this.#data = data;
    this.#fetchOffset = options.fetchOffset;
    this.#nextOffset = options.fetchOffset;
    this.#maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
    this.#maxDecompressedBytes = options.maxDecompressedBytes ?? defaultMaxDecompressedBytes;
    this.#aborted = new AbortedRanges(options.abortedTransactions);
  }

  /**
   * A batch that can't be read throws only when it is the first of a call: otherwise the call ends
   * before it, so that what precedes it is not lost, and the next begins with it. The error is a
   * KafkaError with the batch's offset in its message, and the code "corrupt-batch", "unsupported"
   * (a format from before Kafka 0.11), or "record-too-large" (more than `maxDecompressedBytes`).
   */
  next(): DecodedBatches {
    const data = this.#data;
    const fetchOffset = this.#fetchOffset;
    const startOffset = this.#nextOffset;
    const records: KafkaRecord[] = [];
    let decompressedLeft = this.#maxDecompressedBytes;
    let held = 0;
    let bytes = 0;
    while (this.#position < data.length && held < this.#maxBytes) {
      const position = this.#position;
      const complete = records.length;
      try {
        const follows = this.#nextOffset > fetchOffset;
        const batch = readHeader(data, position, this.#nextOffset, follows);
        if (batch === undefined) break;
        if (!isHidden(batch, data, position, this.#aborted) && batch.lastOffset >= fetchOffset) {
          const body = bodyOf(batch, data, position, decompressedLeft);
          const compressed = body.data !== data;
          if (compressed) decompressedLeft -= body.data.length;
          held += compressed ? body.data.length : batch.end - position;
          bytes += readRecords(body, batch, fetchOffset, records);
        }
        this.#nextOffset = Math.max(this.#nextOffset, batch.lastOffset + 1);
        this.#position = batch.end;
      } catch (error) {
        if (!(error instanceof BatchFault)) throw error;
        if (this.#nextOffset === startOffset) throw asKafkaError(error, data, position);
        records.length = complete;
        break;
      }
    }
    const partial = this.#position < data.length;
    return { records, nextOffset: this.#nextOffset, bytes, partial };
  }
}

/** All that can be read at once: the first call of a `BatchDecoder`. */
export function decodeBatches(data: Buffer, options: DecodeOptions): DecodedBatches {
  return new BatchDecoder(data, options).next();
}

interface BatchHeader {
  /** In the data. */
  readonly end: number;
  readonly attributes: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly recordCount: number;
}

/** undefined when the batch is not all there. */
function readHeader(
  data: Buffer,
  position: number,
  nextOffset: number,
  follows: boolean,
): BatchHeader | undefined {
  if (position + field.magic >= data.length) return undefined;
  const magic = data.readInt8(position + field.magic);
  if (magic === 0 || magic === 1) {
    throw new BatchFault(
      "unsupported",
      `message format ${magic}, from before Kafka 0.11, is not read; copy the topic with a current client`,
    );
  }
  if (magic !== magicV2) throw broken(`magic byte ${magic}`);
  const length = data.readInt32BE(position + field.length);
  if (length < field.records - lengthEndsAt) throw broken(`a length of ${length} bytes`);
  const end = position + lengthEndsAt + length;
  if (end > data.length) return undefined;

  const stored = data.readUInt32BE(position + field.crc);
  const computed = crc32c(data, position + field.attributes, end);
  if (stored !== computed) throw broken(`CRC-32C is ${hex(computed)}, but it says ${hex(stored)}`);

  const baseOffset = readInt64(data, position + field.baseOffset);
  const lastOffsetDelta = data.readInt32BE(position + field.lastOffsetDelta);
  const lastOffset = baseOffset + lastOffsetDelta;
  if (baseOffset < 0 || lastOffsetDelta < 0 || lastOffset >= Number.MAX_SAFE_INTEGER) {
    throw broken(`its last offset is ${lastOffset}`);
  }
  if (follows && baseOffset < nextOffset) throw broken(`it follows offset ${nextOffset - 1}`);
  return {
    end,
    attributes: data.readInt16BE(position + field.attributes),
    baseOffset,
    lastOffset,
    baseTimestamp: readInt64(data, position + field.baseTimestamp),
    maxTimestamp: readInt64(data, position + field.maxTimestamp),
    recordCount: data.readInt32BE(position + field.recordCount),
  };
}

/** Control batches, and those of aborted transactions. */
function isHidden(
  batch: BatchHeader,
  data: Buffer,
  position: number,
  aborted: AbortedRanges,
): boolean {
  const control = (batch.attributes & attribute.control) !== 0;
  const transactional = (batch.attributes & attribute.transactional) !== 0;
  if (aborted.empty || !(control || transactional)) return control;
  const producerId = data.readBigInt64BE(position + field.producerId);
  if (!control) return aborted.covers(producerId, batch.lastOffset);
  aborted.ends(producerId, batch.lastOffset);
  return true;
}

function bodyOf(
  batch: BatchHeader,
  data: Buffer,
  position: number,
  maxBytes: number,
): VarintReader {
  const start = position + field.records;
  const compression = compressions[batch.attributes & attribute.compression];
  if (compression === undefined) throw broken("an unknown compression");
  // Compaction may leave the header of a compressed batch alone.
  if (compression === "none" || start === batch.end) {
    return new VarintReader(data, start, batch.end);
  }
  const body = decompress(compression, data.subarray(start, batch.end), maxBytes);
  return new VarintReader(body, 0, body.length);
}

/** Returns the size of what it added. */
function readRecords(
  body: VarintReader,
  batch: BatchHeader,
  fetchOffset: number,
  records: KafkaRecord[],
): number {
  const { baseOffset, lastOffset, baseTimestamp } = batch;
  const { data, end } = body;
  const appendTime = batch.attributes & attribute.logAppendTime ? batch.maxTimestamp : undefined;
  let previousOffset = baseOffset - 1;
  let bytes = 0;
  for (let index = 0; index < batch.recordCount; index++) {
    const length = body.int32();
    const start = body.position;
    const recordEnd = start + length;
    if (length < 0 || recordEnd > end) throw broken(`a record of ${length} bytes`);
    body.position++; // attributes: none are defined
    const timestampDelta = body.int64();
    const offset = baseOffset + body.int32();
    if (offset <= previousOffset || offset > lastOffset) {
      throw broken(`offset ${offset} after ${previousOffset}, in a batch up to ${lastOffset}`);
    }
    previousOffset = offset;
    if (offset < fetchOffset) {
      body.position = recordEnd;
      continue;
    }

    const keyBytes = body.int32();
    const keyAt = body.position;
    if (keyBytes > 0) body.position += keyBytes;
    const valueBytes = body.int32();
    const valueAt = body.position;
    if (valueBytes > 0) body.position += valueBytes;
    const headersAt = body.position;
    if (headersAt >= recordEnd) throw broken(`the record at offset ${offset} is cut off`);
    const bare = data[headersAt] === 0;
    if (bare) body.position++;
    else walkHeaders(body);
    if (body.position !== recordEnd) throw broken(`the record at offset ${offset} is malformed`);

    bytes += length;
    records.push({
      offset,
      timestamp: appendTime ?? baseTimestamp + timestampDelta,
      key: keyBytes < 0 ? null : data.subarray(keyAt, keyAt + keyBytes),
      value: valueBytes < 0 ? null : data.subarray(valueAt, valueAt + valueBytes),
      headers: bare ? noHeaders : data.subarray(headersAt, recordEnd),
    });
  }
  if (body.position !== end) {
    throw broken(`its ${batch.recordCount} records are not all that it holds`);
  }
  return bytes;
}

const codes = {
  broken: "corrupt-batch",
  "too-large": "record-too-large",
  unsupported: "unsupported",
} as const;

function asKafkaError(fault: BatchFault, data: Buffer, position: number): KafkaError {
  const offset = readInt64(data, position + field.baseOffset);
  return new KafkaError(codes[fault.kind], `record batch at offset ${offset}: ${fault.message}`, {
    cause: fault,
  });
}

function broken(what: string): BatchFault {
  return new BatchFault("broken", what);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
