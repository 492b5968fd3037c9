import type { Outlet } from "./outlet.ts";

/** Which session serves which partition, by the latest announcement. */
export class Owners {
  readonly #owners = new Map<number, Outlet>();

  of(partition: number): Outlet | undefined {
    return this.#owners.get(partition);
  }

  /** In ascending order. */
  partitionsOf(outlet: Outlet): number[] {
    const partitions: number[] = [];
    for (const [partition, owner] of this.#owners) {
      if (owner === outlet) {
        partitions.push(partition);
      }
    }
    return partitions.sort((a, b) => a - b);
  }

  /** What `outlet` no longer serves, and what it serves from now on. */
  announce(outlet: Outlet, partitions: readonly number[]): { left: number[]; taken: number[] } {
    const announced = new Set(partitions);
    const left = this.partitionsOf(outlet).filter((partition) => !announced.has(partition));
    for (const partition of left) {
      this.#owners.delete(partition);
    }
    const taken = [...announced].filter((partition) => this.#owners.get(partition) !== outlet);
    for (const partition of taken) {
      this.#owners.set(partition, outlet);
    }
    return { left, taken };
  }
}
