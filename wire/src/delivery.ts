import { readAttempt, readPartition, wholeMs, writeAttempt } from "./fields.ts";
import type { Delivery } from "./frames.ts";
import { malformed, type Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** partition 4, offset 8, attempt 4, lease 4, timestamp 8, tagged section 2. */
const headBytes = 30;
const lengthBytes = 4;

/** Of a delivery with nothing in its three byte fields. */
export const minDeliveryBytes = headBytes + 3 * lengthBytes;

/** Encoded size of one delivery in bytes: what it takes of a pull's `maxBytes`. */
export function deliveryBytes(delivery: Pick<Delivery, "key" | "headers" | "value">): number {
  if (delivery instanceof PreparedDelivery) return delivery.end - delivery.start;
  return (
    minDeliveryBytes +
    (delivery.key?.byteLength ?? 0) +
    delivery.headers.byteLength +
    (delivery.value?.byteLength ?? 0)
  );
}

/** Told of every byte field, so that the encoder may put it beside the buffer instead of into it. */
export type PutBytes = (writer: Writer, bytes: Uint8Array) => void;

export function writeDelivery(writer: Writer, delivery: Delivery, put: PutBytes): void {
  writeHead(writer, delivery);
  writeBytes(writer, delivery.key, put);
  writeBytes(writer, delivery.headers, put);
  writeBytes(writer, delivery.value, put);
}

function writeHead(writer: Writer, delivery: Lease & Pick<Delivery, "offset" | "timestamp">): void {
  writer.u31(delivery.partition);
  writer.u64(delivery.offset);
  writeAttempt(writer, delivery.attempt);
  writer.u32(wholeMs(delivery.leaseMs));
  writer.i64(delivery.timestamp);
  writer.u16(0); // no tags in this version
}

function writeBytes(writer: Writer, bytes: Uint8Array | null, put: PutBytes): void {
  if (bytes === null) {
    writer.i32(-1);
    return;
  }
  writer.i32(bytes.byteLength);
  put(writer, bytes);
}

export function readDelivery(reader: Reader): Delivery {
  const partition = readPartition(reader);
  const offset = reader.u64();
  const attempt = readAttempt(reader);
  const leaseMs = reader.u32();
  const timestamp = reader.i64();
  reader.skip(reader.u16()); // the tagged section: no tag means anything to this version
  const key = reader.nullableBytes();
  const headers = reader.headerBlock();
  const value = reader.nullableBytes();
  if (headers === null) {
    throw malformed("the header block of a record is null");
  }
  return { partition, offset, attempt, leaseMs, timestamp, key, value, headers };
}

/** What deliveries of several records may have in common. */
export type Lease = Pick<Delivery, "partition" | "attempt" | "leaseMs">;

/** What a record brings along. */
export type RecordBytes = Omit<Delivery, keyof Lease>;

const copyBytes: PutBytes = (writer, bytes) => writer.raw(bytes);

/**
 * A delivery that was encoded ahead: its bytes are the record's memory and its part of a frame in one. Those that stand
 * one behind the other in a slab go out as one chunk, and nothing is made for any of them.
 */
export class PreparedDelivery implements Delivery {
  readonly partition: number;
  readonly offset: number;
  readonly attempt: number;
  readonly leaseMs: number;
  readonly timestamp: number;
  /** It stands here from `start` to `end`. */
  readonly memory: Buffer;
  readonly start: number;
  readonly end: number;
  /** -1 for none. */
  readonly #keyBytes: number;
  readonly #headersBytes: number;
  /** -1 for none. */
  readonly #valueBytes: number;

  /** Made by a slab, which is what `writer` writes to. */
  constructor({ partition, attempt, leaseMs }: Lease, record: RecordBytes, writer: Writer) {
    const { offset, timestamp, key, headers, value } = record;
    this.partition = partition;
    this.offset = offset;
    this.attempt = attempt;
    this.leaseMs = leaseMs;
    this.timestamp = timestamp;
    this.memory = writer.buffer;
    this.start = writer.position;
    this.#keyBytes = key === null ? -1 : key.byteLength;
    this.#headersBytes = headers.byteLength;
    this.#valueBytes = value === null ? -1 : value.byteLength;
    writeHead(writer, this);
    writeBytes(writer, key, copyBytes);
    writeBytes(writer, headers, copyBytes);
    writeBytes(writer, value, copyBytes);
    this.end = writer.position;
  }

  get key(): Buffer | null {
    return this.#keyBytes < 0 ? null : this.#slice(this.#keyAt, this.#keyBytes);
  }

  get headers(): Buffer {
    return this.#slice(this.#headersAt, this.#headersBytes);
  }

  get value(): Buffer | null {
    if (this.#valueBytes < 0) return null;
    return this.#slice(this.end - this.#valueBytes, this.#valueBytes);
  }

  get #keyAt(): number {
    return this.start + headBytes + lengthBytes;
  }

  get #headersAt(): number {
    return this.#keyAt + Math.max(0, this.#keyBytes) + lengthBytes;
  }

  #slice(at: number, bytes: number): Buffer {
    return this.memory.subarray(at, at + bytes);
  }
}

/** Memory that deliveries are prepared in, one behind the other. */
export class DeliverySlab {
  readonly #writer: Writer;

  constructor(bytes: number) {
    this.#writer = new Writer(Buffer.allocUnsafeSlow(bytes));
  }

  /** Bytes that are left. */
  get room(): number {
    return this.#writer.buffer.length - this.#writer.position;
  }

  /**
   * Copies the record's bytes. There must be room for its `deliveryBytes`.
   *
   * @throws WireError `not-encodable` for a number out of its range.
   */
  prepare(lease: Lease, record: RecordBytes): PreparedDelivery {
    return new PreparedDelivery(lease, record, this.#writer);
  }
}
