import type { Outlet } from "./outlet.ts";

interface Claim {
  readonly outlet: Outlet;
  readonly generation: number;
  /** Counts up: of two with one generation, who began to claim later is before. */
  readonly begun: number;
  /** Somebody had the partition under a later generation: no claim to go by until it is made anew under another one. */
  overtaken: boolean;
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
 * group has given its partitions away. The group's generation tells who is right.
 */
export class Owners {
  /** By partition, the best first; never empty. */
  readonly #claims = new Map<number, Claim[]>();
  /** Generation under which its last owner had it, when that stopped: who claims it under an earlier one is cut off. */
  readonly #left = new Map<number, number>();
  #begun = 0;

  of(partition: number): Outlet | undefined {
    const best = this.#claims.get(partition)?.[0];
    return best?.overtaken === false ? best.outlet : undefined;
  }

  /** All that say they serve it, the best first. */
  claimants(partition: number): Outlet[] {
    return this.#claims.get(partition)?.map(({ outlet }) => outlet) ?? [];
  }

  /**
   * Whether `outlet` claims it, and nobody of a later generation does that is connected: one that is not may be gone for
   * good, and a group that was deleted counts its generations from 1 again.
   */
  trusted(partition: number, outlet: Outlet): boolean {
    const claims = this.#claims.get(partition) ?? [];
    const own = claims.find((claim) => claim.outlet === outlet);
    return (
      own !== undefined &&
      !claims.some((claim) => claim.generation > own.generation && claim.outlet.up)
    );
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
    if (own !== undefined && own.generation === generation) {
      return;
    }
    const rest = claims.filter((claim) => claim !== own);
    if (generation !== undefined) {
      const overtaken = own === undefined && generation < (this.#left.get(partition) ?? 0);
      rest.push({ outlet, generation, begun: own?.begun ?? ++this.#begun, overtaken });
      rest.sort(better);
    } else if (own !== undefined && own === claims[0] && !own.overtaken) {
      this.#left.set(partition, own.generation);
      for (const claim of rest) {
        claim.overtaken ||= claim.generation < own.generation;
      }
    }
    if (rest.length > 0) {
      this.#claims.set(partition, rest);
    } else {
      this.#claims.delete(partition);
    }
  }
}

function better(a: Claim, b: Claim): number {
  const overtaken = Number(a.overtaken) - Number(b.overtaken);
  return overtaken || b.generation - a.generation || b.begun - a.begun;
}
