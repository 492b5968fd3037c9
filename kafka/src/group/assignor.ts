/**
 * Which member owns which partition: a pure function of what the members say.
 *
 * Partition p belongs to ordinal p mod n, n being the configured replica count. Only the partitions
 * of ordinals that are absent are spread over those present, evenly, each staying where it is if it
 * can. A partition that must move is given to nobody while a live member still claims it: that
 * member hears from its assignment that it lost it, gives it up in order, and rejoins without the
 * claim; the next round assigns it.
 */
import type { MemberData } from "./member-data.ts";

export interface GroupMemberData extends MemberData {
  /** Names the member in the result: its static instance id. */
  readonly instanceId: string;
}

export interface Assignment {
  /** Every member is in it, also with nothing. Partitions ascend. */
  readonly byMember: ReadonlyMap<string, readonly number[]>;
  /** Moving, and not yet given up by who claims it. */
  readonly withheld: readonly number[];
}

export function assign(members: readonly GroupMemberData[], partitionCount: number): Assignment {
  const byMember = new Map<string, number[]>(members.map(({ instanceId }) => [instanceId, []]));
  const claims = currentClaims(members);
  const targets = chooseTargets(members, partitionCount, claims);
  const withheld: number[] = [];
  for (const [partition, target] of targets) {
    const claimants = claims.get(partition) ?? [];
    if (claimants.every((claimant) => claimant === target)) {
      byMember.get(target)?.push(partition);
    } else if (claimants[0] === target && isNewest(members, partition, target)) {
      // The others' claims are older than the one that the group gave since: they only hear of it now.
      byMember.get(target)?.push(partition);
    } else {
      withheld.push(partition);
    }
  }
  return { byMember, withheld };
}

/** Who claims what; the claim of the highest generation first. */
function currentClaims(
  members: readonly GroupMemberData[],
): ReadonlyMap<number, readonly string[]> {
  const claims = new Map<number, GroupMemberData[]>();
  for (const member of members) {
    for (const partition of new Set(member.owned)) {
      const list = claims.get(partition);
      if (list === undefined) claims.set(partition, [member]);
      else list.push(member);
    }
  }
  return new Map(
    [...claims].map(([partition, claimants]) => [
      partition,
      claimants
        .sort(
          (a, b) => b.ownedGeneration - a.ownedGeneration || compare(a.instanceId, b.instanceId),
        )
        .map(({ instanceId }) => instanceId),
    ]),
  );
}

function isNewest(
  members: readonly GroupMemberData[],
  partition: number,
  instanceId: string,
): boolean {
  const claimants = members.filter(({ owned }) => owned.includes(partition));
  const own = claimants.find((member) => member.instanceId === instanceId)?.ownedGeneration ?? -1;
  return claimants.every(
    (member) => member.instanceId === instanceId || member.ownedGeneration < own,
  );
}

interface Holder {
  readonly instanceId: string;
  readonly ordinal: number;
  load: number;
  /** How many of the spread partitions it claims now and may still keep. */
  keepable: number;
  quota: number;
}

function chooseTargets(
  members: readonly GroupMemberData[],
  partitionCount: number,
  claims: ReadonlyMap<number, readonly string[]>,
): ReadonlyMap<number, string> {
  const replicas = configuredReplicas(members);
  const holders = ordinalHolders(members, replicas);
  const targets = new Map<number, string>();
  const orphans: number[] = [];
  const byOrdinal = new Map(holders.map((holder) => [holder.ordinal, holder]));
  const byId = new Map(holders.map((holder) => [holder.instanceId, holder]));
  for (let partition = 0; partition < partitionCount; partition += 1) {
    const home = byOrdinal.get(partition % replicas);
    if (home === undefined) {
      orphans.push(partition);
    } else {
      targets.set(partition, home.instanceId);
      home.load += 1;
    }
  }
  if (holders.length === 0) return targets;
  for (const orphan of orphans) {
    const owner = byId.get(claims.get(orphan)?.[0] ?? "");
    if (owner !== undefined) owner.keepable += 1;
  }
  shareOut(holders, orphans.length);
  const moving: number[] = [];
  for (const orphan of orphans) {
    const owner = byId.get(claims.get(orphan)?.[0] ?? "");
    if (owner === undefined || owner.quota === 0) {
      moving.push(orphan);
    } else {
      owner.quota -= 1;
      targets.set(orphan, owner.instanceId);
    }
  }
  let next = 0;
  for (const orphan of moving) {
    while (holders[next]?.quota === 0) next += 1;
    const holder = holders[next];
    if (holder === undefined) break;
    holder.quota -= 1;
    targets.set(orphan, holder.instanceId);
  }
  return new Map([...targets].sort(([a], [b]) => a - b));
}

/** Quotas that even out the loads; of equally loaded, who can keep more goes first. */
function shareOut(holders: readonly Holder[], count: number): void {
  for (let shared = 0; shared < count; shared += 1) {
    const next = holders.reduce((best, holder) =>
      holder.load < best.load || (holder.load === best.load && holder.keepable > best.keepable)
        ? holder
        : best,
    );
    next.load += 1;
    next.quota += 1;
    if (next.keepable > 0) next.keepable -= 1;
  }
}

/** The count that the newest configuration says. */
function configuredReplicas(members: readonly GroupMemberData[]): number {
  const newest = Math.max(...members.map(({ configGeneration }) => configGeneration));
  return Math.max(
    1,
    ...members
      .filter(({ configGeneration }) => configGeneration === newest)
      .map(({ replicas }) => replicas),
  );
}

/**
 * One member for each ordinal, ascending: the one that started last. An ordinal beyond the
 * configured count (a pod about to be removed) holds nothing, unless nobody else is there.
 */
function ordinalHolders(members: readonly GroupMemberData[], replicas: number): Holder[] {
  const newest = new Map<number, GroupMemberData>();
  for (const member of members) {
    const other = newest.get(member.ordinal);
    if (other === undefined || isLater(member, other)) newest.set(member.ordinal, member);
  }
  const all = [...newest.values()].sort((a, b) => a.ordinal - b.ordinal);
  const inside = all.filter(({ ordinal }) => ordinal < replicas);
  return (inside.length > 0 ? inside : all).map(({ instanceId, ordinal }) => ({
    instanceId,
    ordinal,
    load: 0,
    keepable: 0,
    quota: 0,
  }));
}

function isLater(a: GroupMemberData, b: GroupMemberData): boolean {
  return a.startedAtMs === b.startedAtMs
    ? compare(a.instanceId, b.instanceId) > 0
    : a.startedAtMs > b.startedAtMs;
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
