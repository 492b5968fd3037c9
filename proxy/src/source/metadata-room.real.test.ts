// A broker that takes less commit metadata than Kafka does by default, and less than is to be said.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type KafkaCluster, startKafka } from "../../../test/servers/index.ts";
import {
  MemoryHandover,
  startMember,
  type TestMember,
  type TestMemberOptions,
  until,
} from "./test-member.ts";

const limit = 128;
const perPartition = 2_000;

let kafka: KafkaCluster;
before(async () => {
  kafka = await startKafka({ config: { "offset.metadata.max.bytes": String(limit) } });
});
after(async () => {
  await kafka.stop();
});

async function filled(topic: string): Promise<(options: Partial<TestMemberOptions>) => TestMember> {
  await kafka.createTopic(topic, { partitions: 2 });
  const values = Array.from({ length: 2 * perPartition }, (_, index) => ({
    partition: index % 2,
    value: `value ${index}`,
  }));
  await kafka.produce(topic, values);
  return (options) =>
    startMember({
      bootstrapServers: kafka.bootstrapServers,
      topic,
      group: `${topic}-group`,
      ...options,
    });
}

function evens(partition: number): string[] {
  return Array.from({ length: perPartition / 2 }, (_, index) => `${partition}:${2 * index}`);
}

function said(member: TestMember, words: string): boolean {
  return member.words.some((line) => line.includes(words));
}

test("what fits is committed: others at once, lag comes to 0, and every redelivery is counted before it goes out", async () => {
  const member = await filled("ragged");
  let held = 0;
  const one = member({
    ackTimeoutMs: 1_000,
    acks: (partition, offset, attempt) => {
      const acks = partition === 1 || offset % 2 === 1 || attempt > 1;
      if (!acks) held += 1;
      return acks;
    },
  });
  await until("every other record of partition 0 is held", () => held === perPartition / 2);
  await until("partition 1 is committed", async () => {
    const committed = await kafka.committed("ragged-group", "ragged");
    return committed.get(1)?.offset === perPartition;
  });
  await until("it was too long", () => said(one, "offset.metadata.max.bytes"));
  await until("all settled", () => one.settled.size === 2 * perPartition);
  assert.deepEqual([...new Set(evens(0).map((id) => one.attempts.get(id)?.join()))], ["1,2"]);
  assert.equal(
    one.delivered.length,
    2 * perPartition + perPartition / 2,
    "nothing else came twice",
  );
  await one.close();
  assert.equal(await kafka.lag("ragged-group", "ragged"), 0);
  assert.ok(!said(one, "commit failed"), one.words.join("\n"));
});

test("a hand-over: what a commit leaves out goes to the next owner all the same, nothing is lost and nothing comes twice", async () => {
  const member = await filled("moved");
  const shared = { replicas: 2, handover: new MemoryHandover() };
  // What the first has out is still with its worker when the partition moves.
  const first = member({ ...shared, ackTimeoutMs: 600_000, acks: (_, offset) => offset % 2 === 1 });
  await until("all is out or acked", () => first.delivered.length === 2 * perPartition);
  await until("it was too long", () => said(first, "offset.metadata.max.bytes"));
  const second = member({ ...shared, ordinal: 1, ackTimeoutMs: 1_000 });
  await until("the second has settled what was out", () => second.settled.size >= perPartition / 2);
  assert.deepEqual(new Set(second.delivered), new Set(evens(1)), "only what was out");
  assert.deepEqual([...new Set([...second.attempts.values()].map(String))], ["2"], "and counted");
  first.dispatch.receive(performance.now(), "worker", {
    type: "ack",
    ranges: [{ partition: 0, first: 0, last: perPartition - 1 }],
  });
  await until("committed", async () => (await kafka.lag("moved-group", "moved")) === 0);
  assert.equal(first.delivered.length, 2 * perPartition);
  assert.equal(second.delivered.length, perPartition / 2);
  await second.close();
  await first.close();
  assert.equal(await kafka.lag("moved-group", "moved"), 0);
  for (const one of [first, second]) assert.ok(!said(one, "failed"), one.words.join("\n"));
});
