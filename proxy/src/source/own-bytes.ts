import { deliveryBytes, DeliverySlab } from "@kafkaproxy/wire";
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
  #slab = new DeliverySlab(slabBytes);

  /** `leaseMs`: of the deliveries that it prepares. */
  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** The records of `partition`, with bytes of their own. */
  copy(partition: number, records: readonly SourceRecord[]): SourceRecord[] {
    const lease = { partition, attempt: firstAttempt, leaseMs: this.#leaseMs };
    return records.map((record) => {
      // No frame can say that time.
      if (!Number.isSafeInteger(record.timestamp)) return plainCopy(record);
      return this.#slabFor(deliveryBytes(record)).prepare(lease, record);
    });
  }

  #slabFor(size: number): DeliverySlab {
    if (size > maxSlicedBytes) return new DeliverySlab(size);
    if (size > this.#slab.room) this.#slab = new DeliverySlab(slabBytes);
    return this.#slab;
  }
}

function plainCopy({ offset, timestamp, key, value, headers }: SourceRecord): SourceRecord {
  return {
    offset,
    timestamp,
    key: key && Buffer.from(key),
    value: value && Buffer.from(value),
    headers: Buffer.from(headers),
  };
}
