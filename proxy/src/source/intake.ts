import type { SourceRecord } from "../dispatch/index.ts";

/** What intake needs of its two neighbours. */
export interface IntakePorts {
  /** Stops and restarts the fetching of a partition. */
  pause(partition: number): void;
  resume(partition: number): void;
  /** Dispatch.admit: how many of `records` were taken. */
  admit(partition: number, records: readonly SourceRecord[], nextOffset: number): number;
  /** Runs `task` after the current call stack: dispatch speaks to us in the middle of its own work. */
  defer(task: () => void): void;
}

interface Fetched {
  records: readonly SourceRecord[];
  readonly nextOffset: number;
}

interface PartitionIntake {
  /** Fetched, not admitted yet. Bounded by what one fetch may hold: a partition with any is paused. */
  kept: Fetched[];
  /** Dispatch has room, as far as it has said. */
  open: boolean;
  paused: boolean;
}

/** Flow control between fetch and the windows: what a window has no room for waits here, and its partition is paused. */
export class Intake {
  readonly #ports: IntakePorts;
  readonly #partitions = new Map<number, PartitionIntake>();

  constructor(ports: IntakePorts) {
    this.#ports = ports;
  }

  add(partition: number): void {
    this.#partitions.set(partition, { kept: [], open: true, paused: false });
  }

  remove(partition: number): void {
    this.#partitions.delete(partition);
  }

  /** Drops what is kept: the partition's position has been moved. */
  clear(partition: number): void {
    const intake = this.#partitions.get(partition);
    if (intake === undefined) return;
    intake.kept = [];
    intake.open = true;
    intake.paused = false;
  }

  has(partition: number): boolean {
    return this.#partitions.has(partition);
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
    let next = intake.kept[0];
    while (next !== undefined && intake.open) {
      const taken = this.#ports.admit(partition, next.records, next.nextOffset);
      if (taken < next.records.length) {
        next.records = next.records.slice(taken);
        // Told nothing, yet not all was taken: the same as being told.
        intake.open = false;
      } else {
        intake.kept.shift();
        next = intake.kept[0];
      }
    }
    if (next !== undefined || !intake.open) this.#pause(partition, intake);
    else if (intake.paused) {
      intake.paused = false;
      this.#ports.resume(partition);
    }
  }

  #pause(partition: number, intake: PartitionIntake): void {
    if (intake.paused) return;
    intake.paused = true;
    this.#ports.pause(partition);
  }
}
