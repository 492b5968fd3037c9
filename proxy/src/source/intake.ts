import { deliveryBytes } from "@kafkaproxy/wire";
import type { SourceRecord } from "../dispatch/index.ts";

/** What intake needs of its two neighbours. */
export interface IntakePorts {
  /** Stops and restarts the fetching of a partition. */
  pause(partition: number): void;
  resume(partition: number): void;
  /** Fetches from `offset` again, once the partition is resumed. */
  rewind(partition: number, offset: number): void;
  /** Dispatch.admit: how many of `records` were taken. */
  admit(partition: number, records: readonly SourceRecord[], nextOffset: number): number;
  /** Runs `task` after the current call stack: dispatch speaks to us in the middle of its own work. */
  defer(task: () => void): void;
}

interface Fetched {
  readonly records: readonly SourceRecord[];
  readonly nextOffset: number;
}

interface PartitionIntake {
  /** Fetched, not admitted yet: a partition with any is paused. */
  kept: Fetched[];
  keptBytes: number;
  /** Dispatch has room, as far as it has said. */
  open: boolean;
  paused: boolean;
}

/**
 * Flow control between fetch and the windows: what a window has no room for waits here, and its partition is paused.
 * What waits is bounded, whatever the number of partitions; above that it is dropped and fetched again.
 */
export class Intake {
  readonly #ports: IntakePorts;
  readonly #maxKeptBytes: number;
  readonly #partitions = new Map<number, PartitionIntake>();
  #keptBytes = 0;

  constructor(ports: IntakePorts, maxKeptBytes: number) {
    this.#ports = ports;
    this.#maxKeptBytes = maxKeptBytes;
  }

  add(partition: number): void {
    this.remove(partition);
    this.#partitions.set(partition, { kept: [], keptBytes: 0, open: true, paused: false });
  }

  remove(partition: number): void {
    const intake = this.#partitions.get(partition);
    if (intake === undefined) return;
    this.#keep(intake, []);
    this.#partitions.delete(partition);
  }

  /** Drops what is kept: the partition's position has been moved. */
  clear(partition: number): void {
    const intake = this.#partitions.get(partition);
    if (intake === undefined) return;
    this.#keep(intake, []);
    intake.open = true;
    intake.paused = false;
  }

  has(partition: number): boolean {
    return this.#partitions.has(partition);
  }

  /** It was paused, and not resumed since. */
  isPaused(partition: number): boolean {
    return this.#partitions.get(partition)?.paused ?? false;
  }

  batch(partition: number, records: readonly SourceRecord[], nextOffset: number): void {
    const intake = this.#partitions.get(partition);
    if (intake === undefined) return;
    intake.kept.push({ records, nextOffset });
    this.#flush(partition, intake);
  }

  /** Dispatch has room again, or none. */
  open(partition: number, open: boolean): void {
    const intake = this.#partitions.get(partition);
    if (intake === undefined || intake.open === open) return;
    intake.open = open;
    if (!open) this.#pause(partition, intake);
    else {
      this.#ports.defer(() => {
        if (this.#partitions.get(partition) === intake) this.#flush(partition, intake);
      });
    }
  }

  #flush(partition: number, intake: PartitionIntake): void {
    const { kept } = intake;
    while (kept[0] !== undefined && intake.open) {
      const [{ records, nextOffset }] = kept;
      const taken = this.#ports.admit(partition, records, nextOffset);
      if (taken < records.length) {
        kept[0] = { records: records.slice(taken), nextOffset };
        // Told nothing, yet not all was taken: the same as being told.
        intake.open = false;
      } else {
        kept.shift();
      }
    }
    this.#keep(intake, kept);
    if (kept.length > 0 || !intake.open) this.#pause(partition, intake);
    else if (intake.paused) {
      intake.paused = false;
      this.#ports.resume(partition);
    }
    const first = kept[0]?.records[0]?.offset;
    if (first !== undefined && this.#keptBytes > this.#maxKeptBytes) {
      this.#keep(intake, []);
      this.#ports.rewind(partition, first);
    }
  }

  #keep(intake: PartitionIntake, kept: Fetched[]): void {
    const before = intake.keptBytes;
    intake.kept = kept;
    intake.keptBytes = kept.reduce((sum, { records }) => sum + bytesOf(records), 0);
    this.#keptBytes += intake.keptBytes - before;
  }

  #pause(partition: number, intake: PartitionIntake): void {
    if (intake.paused) return;
    intake.paused = true;
    this.#ports.pause(partition);
  }
}

function bytesOf(records: readonly SourceRecord[]): number {
  return records.reduce((bytes, record) => bytes + deliveryBytes(record), 0);
}
