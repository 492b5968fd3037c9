import type { Outlet } from "./outlet.ts";

interface Claim {
  readonly outlet: Outlet;
  readonly generation: number;
  /** Counts up: of two with one generation, who began to claim later is before. */
  readonly begun: number;
}

/** What an announcement has changed. */
export interface OwnerChanges {
  /** Partitions that the announcer does not claim any more. */
  readonly left: readonly number[];
  /** Partitions whose owner is another one now. */
  readonly moved: readonly number[];
}

/**
 * Which session serves which partition. Several may say so: a proxy that is cut off from Kafka does not know that the
 * group has given its partitions away. The group's generation tells who is right, the rest are kept in their order for
 * the time when that one stops.
 */
export class Owners {
  /** By partition, the best first; never empty. */
  readonly #claims = new Map<number, Claim[]>();
  #begun = 0;

  of(partition: number): Outlet | undefined {
    return this.#claims.get(partition)?.[0]?.outlet;
  }

  /** All that say they serve it, the owner first. */
  claimants(partition: number): Outlet[] {
    return this.#claims.get(partition)?.map(({ outlet }) => outlet) ?? [];
  }

  /** Whether `outlet` claims it, and nobody of a later generation does. */
  trusted(partition: number, outlet: Outlet): boolean {
    const claims = this.#claims.get(partition);
    const own = claims?.find((claim) => claim.outlet === outlet);
    return own !== undefined && own.generation === claims?.[0]?.generation;
  }

  /** What it claims, in ascending order. */
  partitionsOf(outlet: Outlet): number[] {
    const partitions: number[] = [];
    for (const [partition, claims] of this.#claims) {
      if (claims.some((claim) => claim.outlet === outlet)) {
        partitions.push(partition);
      }
    }
    return partitions.sort((a, b) => a - b);
  }

  /** `partitions` are all that `outlet` claims from now on. */
  announce(outlet: Outlet, generation: number, partitions: readonly number[]): OwnerChanges {
    const announced = new Set(partitions);
    const left = this.partitionsOf(outlet).filter((partition) => !announced.has(partition));
    const moved: number[] = [];
    for (const partition of [...left, ...announced]) {
      const before = this.of(partition);
      this.#set(partition, outlet, announced.has(partition) ? generation : undefined);
      const now = this.of(partition);
      if (now !== undefined && now !== before) {
        moved.push(partition);
      }
    }
    return { left, moved };
  }

  #set(partition: number, outlet: Outlet, generation: number | undefined): void {
    const claims = this.#claims.get(partition) ?? [];
    const own = claims.find((claim) => claim.outlet === outlet);
    const rest = claims.filter((claim) => claim !== own);
    if (generation !== undefined) {
      rest.push({ outlet, generation, begun: own?.begun ?? ++this.#begun });
      rest.sort((a, b) => b.generation - a.generation || b.begun - a.begun);
    }
    if (rest.length > 0) {
      this.#claims.set(partition, rest);
    } else {
      this.#claims.delete(partition);
    }
  }
}
