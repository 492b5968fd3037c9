import { deliveryBytes, PreparedDelivery } from "@kafkaproxy/wire";
import type { SourceRecord } from "../dispatch/index.ts";

/**
 * A record's bytes come as slices of a fetch's whole answer, megabytes of it: one record that a worker keeps for
 * half an hour would keep all of that. A thousand such workers, each with a record of another answer, would fill
 * the machine with bytes that nobody counts. So records are copied as they come in, into slabs that are small
 * enough: 20,000 records kept, each the last of its slab, hold 320 MiB and not 20,000 answers.
 *
 * They are copied as their first delivery has them in its frame, one behind the other, so that it costs no more than
 * to say from where to where in the slab it goes.
 */
const slabBytes = 16 * 1024;
/** What is larger gets memory of its own. */
const maxSlicedBytes = slabBytes / 4;

const firstAttempt = 1;

export class OwnBytes {
  readonly #leaseMs: number;
  #slab = Buffer.allocUnsafeSlow(slabBytes);
  #used = 0;

  /** `leaseMs`: of the deliveries that it prepares. */
  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** The record with bytes of its own; itself when it is most of what its bytes are a slice of. */
  take(partition: number, record: SourceRecord): SourceRecord {
    const { offset, timestamp, key, value, headers } = record;
    const size = deliveryBytes(record);
    if (size * 2 >= (value ?? key ?? headers).buffer.byteLength) return record;
    if (!Number.isSafeInteger(timestamp)) {
      // No frame can say that time.
      return { offset, timestamp, key: copy(key), value: copy(value), headers: copy(headers) };
    }
    const delivery = {
      partition,
      offset,
      attempt: firstAttempt,
      leaseMs: this.#leaseMs,
      timestamp,
      key,
      value,
      headers,
    };
    if (size > maxSlicedBytes)
      return new PreparedDelivery(delivery, Buffer.allocUnsafeSlow(size), 0);
    if (this.#used + size > slabBytes) {
      this.#slab = Buffer.allocUnsafeSlow(slabBytes);
      this.#used = 0;
    }
    const prepared = new PreparedDelivery(delivery, this.#slab, this.#used);
    this.#used = prepared.end;
    return prepared;
  }
}

function copy<Bytes extends Uint8Array | null>(bytes: Bytes): Bytes | Buffer {
  return bytes === null ? bytes : Buffer.from(bytes);
}
