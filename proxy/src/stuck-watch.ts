import type { PartitionWatermark } from "./dispatch/index.ts";

interface Seen {
  readonly watermark: number;
  readonly since: number;
}

/** Finds partitions that have something to do and whose watermark does not move. Pure. */
export class StuckWatch {
  readonly #afterMs: number;
  readonly #seen = new Map<number, Seen>();

  constructor(afterMs: number) {
    this.#afterMs = afterMs;
  }

  /** `end` gives the log's end of a partition, where known. */
  observe(
    now: number,
    partitions: readonly PartitionWatermark[],
    end: (partition: number) => number | undefined,
  ): void {
    const present = new Set<number>();
    for (const { partition, watermark } of partitions) {
      present.add(partition);
      const seen = this.#seen.get(partition);
      const idle = watermark >= (end(partition) ?? watermark);
      if (seen === undefined || idle || seen.watermark !== watermark) {
        this.#seen.set(partition, { watermark, since: now });
      }
    }
    for (const partition of this.#seen.keys()) {
      if (!present.has(partition)) this.#seen.delete(partition);
    }
  }

  /** How long the watermark has stood still with lag behind it, in ms; 0 where it moves or there is no lag. */
  stillMs(now: number, partition: number): number {
    const seen = this.#seen.get(partition);
    return seen === undefined ? 0 : now - seen.since;
  }

  isStuck(now: number, partition: number): boolean {
    return this.stillMs(now, partition) >= this.#afterMs;
  }
}
