import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { assign } from "./assignor.ts";
import type { GroupMemberData } from "./assignor.ts";

function member(instanceId: string, data: Partial<GroupMemberData> = {}): GroupMemberData {
  return {
    instanceId,
    ordinal: Number(instanceId.split("-").at(-1)),
    replicas: 3,
    configGeneration: 1,
    startedAtMs: 0,
    partitionCount: 0,
    owned: [],
    ownedGeneration: -1,
    asked: 0,
    ...data,
  };
}

function result(
  members: readonly GroupMemberData[],
  count: number,
): Record<string, readonly number[]> {
  return Object.fromEntries(assign(members, count).byMember);
}

test("partition p belongs to ordinal p mod n", () => {
  assert.deepEqual(result([member("pod-0"), member("pod-1"), member("pod-2")], 7), {
    "pod-0": [0, 3, 6],
    "pod-1": [1, 4],
    "pod-2": [2, 5],
  });
});

test("only an absent ordinal's partitions are spread, evenly", () => {
  assert.deepEqual(result([member("pod-0"), member("pod-2")], 9), {
    "pod-0": [0, 1, 3, 4, 6],
    "pod-2": [2, 5, 7, 8],
  });
});

test("a claimed partition is withheld from its new owner until it is given up", () => {
  const members = [
    member("pod-0", { owned: [0, 1, 2, 3, 4, 5], ownedGeneration: 1 }),
    member("pod-1"),
  ];
  const { byMember, withheld } = assign(
    members.map((one) => ({ ...one, replicas: 2 })),
    6,
  );
  assert.deepEqual(
    [...byMember],
    [
      ["pod-0", [0, 2, 4]],
      ["pod-1", []],
    ],
  );
  assert.deepEqual(withheld, [1, 3, 5]);
});

test("a claim of an older generation loses to the owner's", () => {
  const stale = member("pod-1", { owned: [0], ownedGeneration: 3, replicas: 2 });
  const owner = member("pod-0", { owned: [0], ownedGeneration: 5, replicas: 2 });
  assert.deepEqual(result([stale, owner], 2), { "pod-0": [0], "pod-1": [1] });
});

test("the highest configuration generation says how many there are", () => {
  const members = [
    member("pod-0", { replicas: 2, configGeneration: 8 }),
    member("pod-1", { replicas: 2, configGeneration: 8 }),
    member("pod-2", { replicas: 3, configGeneration: 7 }),
  ];
  assert.deepEqual(result(members, 4), { "pod-0": [0, 2], "pod-1": [1, 3], "pod-2": [] });
});

test("of two with one ordinal the one that started last has its partitions", () => {
  const members = [
    member("a-0", { replicas: 1, startedAtMs: 5 }),
    member("b-0", { replicas: 1, startedAtMs: 9 }),
  ];
  assert.deepEqual(result(members, 2), { "a-0": [], "b-0": [0, 1] });
});

test("with nobody inside the configured count, whoever is there has everything", () => {
  assert.deepEqual(result([member("pod-5", { replicas: 2 })], 2), { "pod-5": [0, 1] });
});

/** A group over time: some members come, some go, each round is applied as real members do. */
const groups = fc.record({
  partitions: fc.integer({ min: 0, max: 40 }),
  replicas: fc.integer({ min: 1, max: 6 }),
  present: fc.array(
    fc.subarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 1 }).map((ordinals) => ordinals.map(String)),
    { minLength: 1, maxLength: 6 },
  ),
});

interface Settled {
  readonly members: GroupMemberData[];
  readonly rounds: number;
}

function round(
  members: readonly GroupMemberData[],
  partitions: number,
  generation: number,
): GroupMemberData[] {
  const { byMember, withheld } = assign(members, partitions);
  const given = [...byMember.values()].flat();
  assert.equal(new Set(given).size, given.length, "a partition was given to two");
  const everything = [...given, ...withheld].sort((a, b) => a - b);
  assert.deepEqual(everything, [...new Set(everything)], "given and withheld at once");
  assert.equal(everything.length, partitions, "a partition was forgotten");
  for (const [owner, theirs] of byMember) {
    for (const partition of theirs) {
      const others = members.filter(
        (one) => one.instanceId !== owner && one.owned.includes(partition),
      );
      assert.deepEqual(others, [], `${partition} was given to ${owner} while claimed`);
    }
  }
  return members.map((one) => ({
    ...one,
    owned: byMember.get(one.instanceId) ?? [],
    ownedGeneration: generation,
  }));
}

function settle(members: GroupMemberData[], partitions: number): Settled {
  let current = members;
  for (let rounds = 1; ; rounds += 1) {
    const next = round(current, partitions, 100 + rounds);
    const owned = next.flatMap((one) => one.owned);
    const same =
      JSON.stringify(next.map((one) => one.owned)) ===
      JSON.stringify(current.map((one) => one.owned));
    if (same && owned.length === partitions) return { members: next, rounds };
    assert.ok(rounds < 5, "the group does not settle");
    current = next;
  }
}

test("whoever comes and goes: one owner at most, in the end exactly one, then stable", () => {
  fc.assert(
    fc.property(groups, ({ partitions, replicas, present }) => {
      let members: GroupMemberData[] = [];
      for (const names of present) {
        const stayed = members.filter(({ ordinal }) => names.includes(String(ordinal)));
        const came = names
          .filter((name) => !stayed.some(({ ordinal }) => String(ordinal) === name))
          .map((name) => member(`pod-${name}`, { replicas }));
        const settled = settle([...stayed, ...came], partitions);
        assert.ok(settled.rounds <= 3, `${settled.rounds} rounds`);
        members = settled.members;
        // Where the member of its own ordinal is, there the partition is.
        const inside = members.filter(({ ordinal }) => ordinal < replicas);
        for (const one of members) {
          for (const partition of one.owned) {
            const home = inside.find(({ ordinal }) => ordinal === partition % replicas);
            if (home !== undefined) assert.equal(one.instanceId, home.instanceId);
          }
        }
      }
    }),
  );
});

test("one pod's restart moves its own partitions only", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 8 }),
      fc.integer({ min: 0, max: 60 }),
      fc.nat(),
      (replicas, partitions, pick) => {
        const all = Array.from({ length: replicas }, (_, ordinal) =>
          member(`pod-${ordinal}`, { replicas }),
        );
        const full = settle(all, partitions).members;
        const gone = pick % replicas;
        const without = settle(
          full.filter(({ ordinal }) => ordinal !== gone),
          partitions,
        ).members;
        for (const one of without) {
          const before = full.find(({ instanceId }) => instanceId === one.instanceId)!.owned;
          assert.ok(before.every((partition) => one.owned.includes(partition)));
        }
        const back = settle([...without, member(`pod-${gone}`, { replicas })], partitions).members;
        assert.deepEqual(
          new Map(back.map(({ instanceId, owned }) => [instanceId, owned])),
          new Map(full.map(({ instanceId, owned }) => [instanceId, owned])),
        );
      },
    ),
  );
});

test("the spread evens out: loads of those who take the strays differ by one at most", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 2, max: 6 }),
      (rows, replicas) => {
        const members = Array.from({ length: replicas - 1 }, (_, ordinal) =>
          member(`pod-${ordinal}`, { replicas }),
        );
        const loads = settle(members, rows * replicas).members.map(({ owned }) => owned.length);
        assert.ok(Math.max(...loads) - Math.min(...loads) <= 1);
      },
    ),
  );
});
