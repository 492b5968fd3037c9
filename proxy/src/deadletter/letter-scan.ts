import { Fetcher, type KafkaRecord, type KafkaSettings, type Logger } from "@kafkaproxy/kafka";

export interface LetterScan {
  readonly settings: KafkaSettings;
  /** The dead-letter topic, and the part of it to read. */
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  /** Not included. */
  readonly to: number;
  /** Called in order; false ends the scan. */
  readonly record: (record: KafkaRecord) => boolean;
  readonly signal?: AbortSignal;
  readonly logger: Logger;
}

const fetchBytes = 4 * 1024 * 1024;

/** Reads a part of the dead-letter topic. Resolves with the offset it got to, which is `to` unless it was ended before. */
export async function scanLetters(scan: LetterScan): Promise<number> {
  if (scan.from >= scan.to) return scan.from;
  const { promise, resolve } = Promise.withResolvers<number>();
  let position = scan.from;
  const fetcher = new Fetcher({
    settings: scan.settings,
    topic: scan.topic,
    maxWaitMs: 500,
    maxBytes: fetchBytes,
    maxBytesPerPartition: fetchBytes,
    handlers: {
      batch: (batch) => {
        for (const record of batch.records) {
          if (record.offset >= scan.to) break;
          position = record.offset + 1;
          if (!scan.record(record)) {
            resolve(position);
            return;
          }
        }
        position = Math.min(scan.to, Math.max(position, batch.nextOffset));
        if (position >= scan.to) resolve(position);
      },
      outOfRange: (partition, offset, range) => {
        // Retention was faster than we: what is gone needs no index.
        if (offset < range.earliest && range.earliest < scan.to) {
          position = range.earliest;
          fetcher.add(partition, range.earliest);
        } else resolve(scan.to);
      },
    },
    logger: scan.logger,
  });
  const stop = (): void => {
    resolve(position);
  };
  scan.signal?.addEventListener("abort", stop, { once: true });
  if (scan.signal?.aborted === true) stop();
  try {
    fetcher.add(scan.partition, scan.from);
    fetcher.start();
    return await promise;
  } finally {
    scan.signal?.removeEventListener("abort", stop);
    await fetcher.close();
  }
}
