import { LinkedList, type WindowRecord } from "../ledger/index.ts";
import type { Partition } from "./partition.ts";

/** So many records of one partition go out before the next one has its turn. */
const turn = 64;

/**
 * The ready records of all partitions. Partitions take turns, so that a hot one starves nobody; within one, what was
 * delivered before goes first, then the order of the log.
 */
export class ReadyQueue {
  readonly #partitions = new LinkedList<Partition>();
  #inTurn = 0;
  /** Records that can go out; those behind a closed gate do not count. */
  size = 0;

  add(partition: Partition, record: WindowRecord): void {
    record.state = "ready";
    const wasEmpty = partition.ready === 0;
    (record.firstDeliveredAt === undefined && record.deliveries === 0
      ? partition.fresh
      : partition.again
    ).append(record);
    if (partition.gated) return;
    this.size += 1;
    if (wasEmpty) this.#partitions.append(partition);
  }

  /** Before a ready record changes its state. */
  remove(partition: Partition, record: WindowRecord): void {
    record.list?.remove(record);
    if (partition.gated) return;
    this.size -= 1;
    if (partition.ready === 0) this.#partitions.remove(partition);
  }

  /** A reason to hold the partition back is gone; it may have been the last. */
  opened(partition: Partition): void {
    if (partition.gated || partition.ready === 0) return;
    this.size += partition.ready;
    this.#partitions.append(partition);
  }

  /** The partition is gone: so is what it had ready. */
  drop(partition: Partition): void {
    if (!partition.gated) this.size -= partition.ready;
    this.#partitions.remove(partition);
  }

  /** The partition whose turn it is. */
  get partition(): Partition | undefined {
    return this.#partitions.first;
  }

  /** What goes out next. */
  get first(): WindowRecord | undefined {
    const partition = this.partition;
    return partition?.again.first ?? partition?.fresh.first;
  }

  /** One of the partition's records went out. */
  countTurn(partition: Partition): void {
    this.#inTurn += 1;
    if (this.#inTurn >= turn || this.partition !== partition) this.endTurn(partition);
  }

  /** The next one's turn, when it is still `partition`'s. */
  endTurn(partition: Partition): void {
    this.#inTurn = 0;
    if (this.partition === partition) this.#partitions.append(partition);
  }
}
