import type { Outbox } from "./outbox.ts";
import { maxUncovered, type Partition } from "./partition.ts";
import type { DispatchOptions } from "./types.ts";

/** Each partition's share of the window limits: full at the share, open again at half of it. */
export class Intake {
  readonly #limits: DispatchOptions["queue"];
  readonly #outbox: Outbox;
  #maxMessages: number;
  #maxBytes: number;

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

  /** One record always has room in an empty window, whatever its size: it would never come in otherwise. */
  hasRoom(partition: Partition, bytes: number): boolean {
    const { window } = partition;
    if (partition.uncovered >= maxUncovered) return false;
    if (window.size === 0) return true;
    return window.size < this.#maxMessages && window.bytes + bytes <= this.#maxBytes;
  }

  close(partition: Partition): void {
    if (!partition.intakeOpen) return;
    partition.intakeOpen = false;
    this.#outbox.intake(partition.number, false);
  }

  reopen(partition: Partition): void {
    if (partition.intakeOpen) return;
    const { window } = partition;
    if (window.size > this.#maxMessages / 2 || window.bytes > this.#maxBytes / 2) return;
    if (partition.uncovered >= maxUncovered) return;
    partition.intakeOpen = true;
    this.#outbox.intake(partition.number, true);
  }
}
