import type { WindowTotals } from "../ledger/index.ts";
import type { Outbox } from "./outbox.ts";
import { maxUncovered, type Partition } from "./partition.ts";
import type { DispatchOptions } from "./types.ts";

/**
 * Each partition's share of the window limits: full at the share, open again at half of it. The windows together keep
 * within the limits too, whatever they held when the shares got smaller, but for one record.
 */
export class Intake {
  /** What all windows hold. */
  readonly totals: WindowTotals = { messages: 0, bytes: 0 };
  readonly #limits: DispatchOptions["queue"];
  readonly #outbox: Outbox;
  #maxMessages: number;
  #maxBytes: number;
  /** Closed, within their shares, waiting for room in the whole. Who had something settled last is last in line. */
  readonly #waiting = new Set<Partition>();

  constructor(limits: DispatchOptions["queue"], outbox: Outbox) {
    this.#limits = limits;
    this.#outbox = outbox;
    this.#maxMessages = limits.maxMessages;
    this.#maxBytes = limits.maxBytes;
  }

  /** Partitions came or went. */
  share(partitions: ReadonlyMap<number, Partition>): void {
    const count = Math.max(1, partitions.size);
    this.#maxMessages = Math.max(1, Math.floor(this.#limits.maxMessages / count));
    this.#maxBytes = Math.floor(this.#limits.maxBytes / count);
    for (const partition of partitions.values()) this.reopen(partition);
  }

  /** `partition` is gone, `partitions` are left. */
  leave(partition: Partition, partitions: ReadonlyMap<number, Partition>): void {
    partition.window.leave();
    this.#waiting.delete(partition);
    this.share(partitions);
  }

  /**
   * One record has room in an empty window, whatever its size, while all are within the limits: it would never come
   * in otherwise. So the limits are exceeded by one record at most, and who is empty has its turn to exceed them.
   */
  hasRoom({ uncovered, window }: Partition, bytes: number): boolean {
    if (uncovered >= maxUncovered) return false;
    if (window.size === 0) return this.#within(this.#limits.maxMessages, this.#limits.maxBytes);
    return (
      window.size < this.#maxMessages &&
      window.bytes + bytes <= this.#maxBytes &&
      this.#within(this.#limits.maxMessages - 1, this.#limits.maxBytes - bytes)
    );
  }

  close(partition: Partition): void {
    if (!partition.intakeOpen) return;
    partition.intakeOpen = false;
    this.#outbox.intake(partition.number, false);
    if (this.#withinShare(partition)) this.#waiting.add(partition);
  }

  reopen(partition: Partition): void {
    if (partition.intakeOpen || !this.#withinShare(partition)) return;
    if (!this.#mayOpen(partition)) {
      this.#waiting.add(partition);
      return;
    }
    this.#waiting.delete(partition);
    partition.intakeOpen = true;
    this.#outbox.intake(partition.number, true);
  }

  /** Something in `partition` was settled: it may have room, and so may those that wait for room in the whole. */
  freed(partition: Partition): void {
    if (this.#waiting.size > 0) {
      this.#waiting.delete(partition);
      for (const other of this.#waiting) this.reopen(other);
    }
    this.reopen(partition);
  }

  #withinShare({ uncovered, window }: Partition): boolean {
    return (
      window.size <= this.#maxMessages / 2 &&
      window.bytes <= this.#maxBytes / 2 &&
      uncovered < maxUncovered
    );
  }

  /** Half a share of room, which is there while nobody has more than its share; an empty window takes any. */
  #mayOpen({ window }: Partition): boolean {
    const { maxMessages, maxBytes } = this.#limits;
    if (window.size === 0) return this.#within(maxMessages, maxBytes);
    return this.#within(maxMessages - this.#maxMessages / 2, maxBytes - this.#maxBytes / 2);
  }

  #within(messages: number, bytes: number): boolean {
    return this.totals.messages <= messages && this.totals.bytes <= bytes;
  }
}
