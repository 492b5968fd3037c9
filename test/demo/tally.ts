import type { Processed } from "./worker-process.ts";

/** Counts what the worker processes say. */
export class Tally {
  /** Orders that a worker finished. */
  readonly processed = new Set<number>();
  /** msgIds of the orders that failed. */
  readonly failed = new Set<string>();
  /** Orders finished again after they had been finished. */
  duplicates = 0;
  /** Deliveries beyond the first. */
  redelivered = 0;

  add({ n, msgId, attempt, outcome }: Processed): void {
    if (attempt > 1) this.redelivered += 1;
    if (outcome === "failed") this.failed.add(msgId);
    else if (this.processed.has(n)) this.duplicates += 1;
    else this.processed.add(n);
  }
}
