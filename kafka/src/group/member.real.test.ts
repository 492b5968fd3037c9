import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startKafka } from "../../../test/servers/index.ts";
import type { KafkaCluster } from "../../../test/servers/index.ts";
import { KafkaConnection, messages } from "../connection/index.ts";
import type { JoinGroupResponse } from "../connection/index.ts";
import { KafkaError } from "../errors.ts";
import { GroupOffsets } from "../offsets/index.ts";
import { until } from "../connection/test-until.ts";
import { decodeAssignment, encodeAssignment, encodeMember } from "./member-data.ts";
import { Fleet } from "./test-fleet.ts";

let kafka: KafkaCluster;
let connection: KafkaConnection;
let count = 0;
const fleets: Fleet[] = [];

const memberData = {
  ordinal: 0,
  replicas: 2,
  configGeneration: 1,
  startedAtMs: 0,
  partitionCount: 0,
  owned: [],
  ownedGeneration: -1,
  asked: 0,
};

before(async () => {
  kafka = await startKafka();
  connection = new KafkaConnection({ bootstrapServers: kafka.bootstrapServers });
});

after(async () => {
  await Promise.all(fleets.map(async (fleet) => await fleet.close()));
  await connection.close();
  await kafka.stop();
});

async function fleetOn(
  partitions: number,
): Promise<{ fleet: Fleet; topic: string; groupId: string }> {
  count += 1;
  const topic = `topic-${count}`;
  const groupId = `group-${count}`;
  await kafka.createTopic(topic, { partitions });
  const fleet = new Fleet({ bootstrapServers: kafka.bootstrapServers, groupId, topic });
  fleets.push(fleet);
  return { fleet, topic, groupId };
}

function isFenced(error: unknown): boolean {
  return error instanceof KafkaError && error.code === "fenced" && !error.retriable;
}

test("one member: joins, owns all, commits with metadata, leaves", async () => {
  const { fleet, topic, groupId } = await fleetOn(3);
  const { member, states } = fleet.add("pod-0", { ordinal: 0, replicas: 1 });
  await fleet.settled(3, { "pod-0": [0, 1, 2] });
  const identity = member.identity!;
  const refused = await member.commit([{ partition: 1, offset: 7, metadata: "seven" }], identity);
  assert.equal(refused.size, 0);
  const offsets = new GroupOffsets(connection, groupId, topic);
  assert.deepEqual([...(await offsets.committed())], [[1, { offset: 7, metadata: "seven" }]]);
  await until("a heartbeat", () => performance.now() - member.lastHeartbeatAt < 1_000);
  const [seen] = await kafka.groupMembers(groupId);
  assert.equal(seen?.instanceId, "pod-0");

  await member.close({ leave: true });
  assert.deepEqual(await kafka.groupMembers(groupId), []);
  assert.deepEqual(
    fleet.eventsOf("pod-0", "revoked").map(({ partitions }) => partitions),
    [[0, 1, 2]],
  );
  assert.deepEqual(states, ["joining", "stable", "closed"]);
  await fleet.close();
});

test("an offset that is refused by itself leaves the others of its commit committed", async () => {
  const { fleet, topic, groupId } = await fleetOn(3);
  const { member } = fleet.add("pod-0", { ordinal: 0, replicas: 1 });
  await fleet.settled(3, { "pod-0": [0, 1, 2] });
  // The broker's own limit is 4096.
  const refused = await member.commit(
    [
      { partition: 0, offset: 1, metadata: "zero" },
      { partition: 1, offset: 2, metadata: "x".repeat(5_000) },
      { partition: 2, offset: 3, metadata: "two" },
    ],
    member.identity!,
  );
  assert.deepEqual(
    [...refused].map(([partition, { code }]) => [partition, code]),
    [[1, "metadata-too-large"]],
  );
  const committed = await new GroupOffsets(connection, groupId, topic).committed();
  assert.deepEqual(
    [...committed].toSorted(([a], [b]) => a - b),
    [
      [0, { offset: 1, metadata: "zero" }],
      [2, { offset: 3, metadata: "two" }],
    ],
  );
  await fleet.close();
});

test("a member joins: what moves is given up first, what stays never stops", async () => {
  const { fleet, topic, groupId } = await fleetOn(6);
  const offsets = new GroupOffsets(connection, groupId, topic);
  const first = fleet.add(
    "pod-0",
    { ordinal: 0, replicas: 2 },
    {
      revoked: async (partitions, identity) => {
        const commits = partitions.map((partition) => ({
          partition,
          offset: 40 + partition,
          metadata: "m",
        }));
        await first.member.commit(commits, identity);
      },
    },
  );
  await fleet.settled(6, { "pod-0": [0, 1, 2, 3, 4, 5] });
  let found: ReadonlyMap<number, { offset: number }> = new Map();
  const second = fleet.add(
    "pod-1",
    { ordinal: 1, replicas: 2 },
    {
      assigned: async (partitions) => {
        found = await offsets.committed(partitions);
      },
    },
  );
  await fleet.settled(6, { "pod-0": [0, 2, 4], "pod-1": [1, 3, 5] });
  await until("the commits", () => found.size === 3);
  assert.deepEqual(
    [...found].map(([, { offset }]) => offset),
    [41, 43, 45],
  );
  assert.deepEqual(
    fleet.eventsOf("pod-0", "revoked").map(({ partitions }) => partitions),
    [[1, 3, 5]],
  );
  assert.equal(
    fleet.eventsOf("pod-0", "assigned").length,
    1,
    "kept partitions were never handed out again",
  );
  assert.equal(first.member.identity?.generation, second.member.identity?.generation);

  await second.member.close({ leave: true });
  await fleet.settled(6, { "pod-0": [0, 1, 2, 3, 4, 5] });
  await fleet.close();
});

test("restarted inside the session time-out: the same partitions, and nobody else notices", async () => {
  const { fleet } = await fleetOn(4);
  const first = fleet.add("pod-0", { ordinal: 0, replicas: 2 });
  const second = fleet.add("pod-1", { ordinal: 1, replicas: 2 });
  await fleet.settled(4, { "pod-0": [0, 2], "pod-1": [1, 3] });
  await until(
    "one generation",
    () =>
      first.member.identity?.generation === second.member.identity?.generation &&
      first.member.state === "stable",
  );
  const generation = first.member.identity!.generation;
  const old = second.member.identity!;
  const before = fleet.events.length;
  await second.crash();
  const again = fleet.add("pod-1", { ordinal: 1, replicas: 2 });
  await fleet.settled(4, { "pod-0": [0, 2], "pod-1": [1, 3] });
  assert.equal(again.member.identity?.generation, generation);
  assert.deepEqual(
    fleet.events.slice(before).filter(({ instanceId }) => instanceId === "pod-0"),
    [],
  );
  await assert.rejects(
    again.member.commit([{ partition: 1, offset: 1, metadata: "" }], old),
    isFenced,
  );
  await fleet.close();
});

test("two processes with one instance id: the newer stays, the older stops and says why", async () => {
  const { fleet, groupId } = await fleetOn(2);
  const older = fleet.add("pod-0", { ordinal: 0, replicas: 1 });
  await fleet.settled(2, { "pod-0": [0, 1] });
  const olderHolds = older.member.owned;
  assert.equal(olderHolds.size, 2);
  fleet.holders.clear();
  const newer = fleet.add("pod-0", { ordinal: 0, replicas: 1 });
  await until("the older is refused", () => older.member.state === "refused");
  assert.match(older.member.refusal?.message ?? "", /newer process has joined as pod-0/);
  assert.equal(older.member.owned.size, 0);
  assert.equal(older.member.identity, undefined);
  assert.deepEqual(
    fleet.eventsOf("pod-0", "lost").map(({ partitions }) => partitions),
    [[0, 1]],
  );
  await until("the newer is stable", () => newer.member.state === "stable");
  assert.deepEqual([...newer.member.owned], [0, 1]);
  await older.member.close({ leave: true });
  assert.equal(
    (await kafka.groupMembers(groupId)).length,
    1,
    "the older did not take the newer out",
  );
  await fleet.close();
});

test("a member that dies while it gives up, and is back at once, leaves nothing without an owner", async () => {
  const { fleet } = await fleetOn(2);
  const stuck = Promise.withResolvers<void>();
  const first = fleet.add(
    "pod-0",
    { ordinal: 0, replicas: 2 },
    { revoked: async () => await stuck.promise },
  );
  await fleet.settled(2, { "pod-0": [0, 1] });
  const second = fleet.add("pod-1", { ordinal: 1, replicas: 2 });
  await until("giving up", () => first.member.owned.size === 1 && second.member.state === "stable");
  const closing = first.crash();
  fleet.holders.clear();
  stuck.resolve();
  await closing;
  fleet.add("pod-0", { ordinal: 0, replicas: 2 });
  await fleet.settled(2, { "pod-0": [0], "pod-1": [1] });
  await fleet.close();
});

test("partitions added later are noticed and given out", async () => {
  const { fleet, topic } = await fleetOn(2);
  fleet.add("pod-0", { ordinal: 0, replicas: 2 });
  fleet.add("pod-1", { ordinal: 1, replicas: 2 });
  await fleet.settled(2, { "pod-0": [0], "pod-1": [1] });
  await kafka.addPartitions(topic, 5);
  await fleet.settled(5, { "pod-0": [0, 2, 4], "pod-1": [1, 3] });
  await fleet.close();
});

test("a commit while a join waits for a slow member is taken", async () => {
  const { fleet, topic, groupId } = await fleetOn(4);
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  // pod-0 takes its time to give up: pod-1's and pod-2's next join waits at the broker for it.
  const slow = fleet.add("pod-0", { ordinal: 0, replicas: 3 }, { revoked: async () => await held });
  await fleet.settled(4, { "pod-0": [0, 1, 2, 3] });
  const second = fleet.add("pod-1", { ordinal: 1, replicas: 3 });
  await until("pod-0 gives up", () => slow.member.owned.size < 4);
  fleet.add("pod-2", { ordinal: 2, replicas: 3 });
  await until("pod-1 joins again", () => second.member.state === "rebalancing");
  const offset = { partition: 0, offset: 3, metadata: "x" };
  await slow.member.commit([offset], slow.member.identity!);
  await second.member.commit([{ ...offset, partition: 1 }], second.member.identity!);
  const beat = second.member.lastHeartbeatAt;
  await until("heartbeats go on during the join", () => second.member.lastHeartbeatAt > beat);
  assert.equal(second.member.state, "rebalancing");
  release();
  await fleet.settled(4, { "pod-0": [0, 3], "pod-1": [1], "pod-2": [2] });
  const offsets = new GroupOffsets(connection, groupId, topic);
  assert.deepEqual([...(await offsets.committed()).keys()], [0, 1]);
  await fleet.close();
});

test("put out of the group: lost at once, then joined anew", async () => {
  const { fleet, groupId } = await fleetOn(2);
  const { member } = fleet.add("pod-0", { ordinal: 0, replicas: 1 });
  await fleet.settled(2, { "pod-0": [0, 1] });
  const old = member.identity!;
  await connection.send(
    await connection.coordinator(groupId),
    messages.leaveGroup({ groupId, members: [{ memberId: "", groupInstanceId: "pod-0" }] }),
  );
  await until("lost", () => fleet.eventsOf("pod-0", "lost").length === 1);
  assert.deepEqual(fleet.eventsOf("pod-0", "lost")[0]?.partitions, [0, 1]);
  await fleet.settled(2, { "pod-0": [0, 1] });
  assert.notEqual(member.identity?.memberId, old.memberId);
  await assert.rejects(member.commit([{ partition: 0, offset: 1, metadata: "" }], old), isFenced);
  assert.equal(fleet.eventsOf("pod-0", "revoked").length, 0);
  await fleet.close();
});

test("a group that speaks another protocol refuses us, with words; later it takes us in", async () => {
  const { fleet, topic, groupId } = await fleetOn(1);
  const coordinator = await connection.coordinator(groupId);
  const foreign = await connection.send(
    coordinator,
    messages.joinGroup({
      groupId,
      sessionTimeout: 30_000,
      rebalanceTimeout: 1_000,
      memberId: "",
      groupInstanceId: "foreign",
      protocolType: "consumer",
      groupProtocols: [{ name: "range", metadata: encodeMember(topic, memberData) }],
    }),
  );
  assert.equal(foreign.errorCode, 0);
  const { member } = fleet.add("pod-0", { ordinal: 0, replicas: 1 });
  await until("refused", () => member.state === "refused");
  assert.equal(member.refusal?.code, "group-protocol");
  assert.match(member.refusal?.message ?? "", /INCONSISTENT_GROUP_PROTOCOL/);
  await connection.send(
    coordinator,
    messages.leaveGroup({ groupId, members: [{ memberId: "", groupInstanceId: "foreign" }] }),
  );
  await fleet.settled(1, { "pod-0": [0] });
  await fleet.close();
});

test("a member of a newer minor version, with fields unknown to us, takes part", async () => {
  const { fleet, topic, groupId } = await fleetOn(4);
  const ours = fleet.add("pod-0", { ordinal: 0, replicas: 2 });
  await fleet.settled(4, { "pod-0": [0, 1, 2, 3] });
  const coordinator = await connection.coordinator(groupId);
  const newer = { ...memberData, ordinal: 1, minor: 9, zone: "b" };
  const join = async (memberId: string): Promise<{ memberId: string; generationId: number }> =>
    await connection.send(
      coordinator,
      messages.joinGroup({
        groupId,
        sessionTimeout: 30_000,
        rebalanceTimeout: 10_000,
        memberId,
        groupInstanceId: "pod-1",
        protocolType: "consumer",
        groupProtocols: [{ name: "kafkaproxy-1", metadata: encodeMember(topic, newer) }],
      }),
      { lane: "group", timeoutMs: 20_000 },
    );
  let { memberId, generationId } = await join("");
  let partitions: readonly number[] = [];
  await until("it has its share", async () => {
    const synced = await connection.send(
      coordinator,
      messages.syncGroup({
        groupId,
        generationId,
        memberId,
        groupInstanceId: "pod-1",
        groupAssignment: [],
      }),
      { lane: "group", timeoutMs: 20_000 },
    );
    ({ partitions } = decodeAssignment(topic, synced.memberAssignment));
    if (partitions.length === 0) ({ memberId, generationId } = await join(memberId));
    return partitions.length > 0;
  });
  assert.deepEqual(partitions, [1, 3]);
  assert.deepEqual([...ours.member.owned], [0, 2]);
  await fleet.close();
});

test("a leader that takes its time: kept partitions' heartbeats go on, commits are not called fenced", async () => {
  const { fleet, topic, groupId } = await fleetOn(2);
  const coordinator = await connection.coordinator(groupId);
  const metadata = encodeMember(topic, { ...memberData, ordinal: 1 });
  const join = async (memberId: string): Promise<JoinGroupResponse> =>
    await connection.send(
      coordinator,
      messages.joinGroup({
        groupId,
        sessionTimeout: 30_000,
        rebalanceTimeout: 10_000,
        memberId,
        groupInstanceId: "leader",
        protocolType: "consumer",
        groupProtocols: [{ name: "kafkaproxy-1", metadata }],
      }),
      { lane: "group", timeoutMs: 20_000 },
    );
  const lead = async ({ generationId, memberId, members }: JoinGroupResponse): Promise<void> => {
    await connection.send(
      coordinator,
      messages.syncGroup({
        groupId,
        generationId,
        memberId,
        groupInstanceId: "leader",
        groupAssignment: members.map((one) => ({
          memberId: one.memberId,
          memberAssignment: encodeAssignment(topic, {
            partitions: one.memberId === memberId ? [] : [0, 1],
            withheld: [],
          }),
        })),
      }),
      { lane: "group" },
    );
  };
  const alone = await join("");
  await lead(alone);
  const { member } = fleet.add("pod-0", { ordinal: 0, replicas: 2 });
  let round = await join(alone.memberId);
  await until("both have joined", async () => {
    if (round.members.length === 2) return true;
    await lead(round);
    round = await join(alone.memberId);
    return round.members.length === 2;
  });
  await lead(round);
  await fleet.settled(2, { "pod-0": [0, 1] });
  const old = member.identity!;
  const slow = await join(alone.memberId);
  assert.ok(slow.generationId > old.generation);
  assert.equal(member.identity, old, "its next generation has not been told yet");
  await assert.rejects(
    member.commit([{ partition: 0, offset: 1, metadata: "" }], old),
    (error) =>
      error instanceof KafkaError && error.code === "rebalance-in-progress" && error.retriable,
  );
  const beat = member.lastHeartbeatAt;
  await until("heartbeats go on", () => member.lastHeartbeatAt > beat + 200);
  assert.equal(member.state, "rebalancing");
  await lead(slow);
  await until("the next generation", () => member.identity?.generation === slow.generationId);
  await member.commit([{ partition: 0, offset: 1, metadata: "" }], member.identity);
  assert.equal(fleet.eventsOf("pod-0", "assigned").length, 1);
  assert.equal(fleet.eventsOf("pod-0", "lost").length, 0);
  await connection.send(
    coordinator,
    messages.leaveGroup({ groupId, members: [{ memberId: "", groupInstanceId: "leader" }] }),
  );
  await fleet.close();
});

test("a broker that freezes: unreachable, then as before; one that restarts too", async () => {
  const { fleet } = await fleetOn(2);
  const { member, states } = fleet.add("pod-0", {
    ordinal: 0,
    replicas: 1,
    sessionTimeoutMs: 60_000,
  });
  await fleet.settled(2, { "pod-0": [0, 1] });
  const [broker] = kafka.brokers;
  broker!.freeze();
  await until("unreachable", () => member.state === "unreachable");
  const beat = member.lastHeartbeatAt;
  assert.equal(member.owned.size, 2);
  broker!.thaw();
  await until("stable", () => member.state === "stable" && member.lastHeartbeatAt > beat);
  await broker!.kill();
  await until("unreachable", () => member.state === "unreachable");
  await broker!.start();
  await until("stable again", () => member.state === "stable");
  await fleet.settled(2, { "pod-0": [0, 1] });
  assert.ok(states.includes("unreachable"));
  assert.equal(fleet.eventsOf("pod-0", "revoked").length, 0);
  await fleet.close();
});

test("members that come, crash and leave: never two owners, in the end all is owned", {
  timeout: 240_000,
}, async () => {
  const { fleet } = await fleetOn(12);
  const replicas = 4;
  const running = new Map<number, ReturnType<Fleet["add"]>>();
  const start = (ordinal: number): void => {
    running.set(
      ordinal,
      fleet.add(`pod-${ordinal}`, { ordinal, replicas }, { revoked: slowly, assigned: slowly }),
    );
  };
  // A fixed seed: what fails here fails again.
  let seed = 20_260;
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  for (let step = 0; step < 24; step += 1) {
    const ordinal = Math.floor(random() * replicas);
    const one = running.get(ordinal);
    if (one === undefined) {
      start(ordinal);
    } else {
      running.delete(ordinal);
      if (random() < 0.5) {
        await one.member.close({ leave: true });
      } else {
        await one.crash();
        // Back before the group notices.
        if (random() < 0.7) start(ordinal);
      }
    }
    await sleep(random() * 400);
  }
  for (let ordinal = 0; ordinal < replicas; ordinal += 1) {
    if (!running.has(ordinal)) start(ordinal);
  }
  await fleet.settled(12, {
    "pod-0": [0, 4, 8],
    "pod-1": [1, 5, 9],
    "pod-2": [2, 6, 10],
    "pod-3": [3, 7, 11],
  });
  // One that does not come back: after the session time-out the others have its share.
  await running.get(2)!.crash();
  await fleet.settled(12, {
    "pod-0": [0, 2, 4, 8],
    "pod-1": [1, 5, 6, 9],
    "pod-3": [3, 7, 10, 11],
  });
  start(2);
  await fleet.settled(12, {
    "pod-0": [0, 4, 8],
    "pod-1": [1, 5, 9],
    "pod-2": [2, 6, 10],
    "pod-3": [3, 7, 11],
  });
  await fleet.close();
});

async function slowly(): Promise<void> {
  await sleep(20);
}
