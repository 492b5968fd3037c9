import { deliveryBytes, PreparedDelivery } from "@kafkaproxy/wire";
import type { SourceRecord } from "../dispatch/index.ts";

/**
 * A record's bytes come as slices of a fetch's whole answer, megabytes of it, whose memory the next answer takes. So
 * records are copied as they come in, into slabs that are small: one record that a worker keeps for half an hour keeps
 * its slab. 20,000 records kept, each the last of its slab, hold 320 MiB.
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

  /** The record with bytes of its own. */
  copy(partition: number, record: SourceRecord): SourceRecord {
    const { offset, timestamp, key, value, headers } = record;
    if (!Number.isSafeInteger(timestamp)) {
      // No frame can say that time.
      return {
        offset,
        timestamp,
        key: copyOf(key),
        value: copyOf(value),
        headers: copyOf(headers),
      };
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
    const size = deliveryBytes(record);
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

function copyOf<Bytes extends Uint8Array | null>(bytes: Bytes): Bytes | Buffer {
  return bytes === null ? bytes : Buffer.from(bytes);
}
