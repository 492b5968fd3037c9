// A proxy that Kafka can't be reached from, alone: its workers reach it, and the group gives its partitions away.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connectedTo, createWorld, Recorder, until, type World } from "../harness/index.ts";

let world: World;
before(async () => {
  world = await createWorld({ relayed: true });
});
after(() => world.close());

test("cut off from Kafka, not from its workers: it stops delivering in time, and its acks go to who has its partitions", async () => {
  const scene = await world.scene("cut-off", { partitions: 4 });
  const { bootstrapServers, relays } = world.kafka.relayed;
  try {
    const cutOff = scene.proxy(0, { kafka: { bootstrapServers } });
    const other = scene.proxy(1);
    await Promise.all([cutOff.serving(), other.serving()]);
    await until("two partitions each", async () => {
      const counts = await Promise.all([cutOff.owned(), other.owned()]);
      return counts.every(({ length }) => length === 2);
    });
    const recorder = new Recorder();
    const workers = await scene.workers(20, recorder, { concurrency: 5, handle: () => delay(100) });
    await connectedTo(2, workers);
    await world.kafka.fill(scene.topic, { count: 20_000, valueBytes: 100 });
    await until("2,000 finished", () => recorder.finished >= 2_000);

    for (const relay of relays) relay.stall();
    const deliveredWhenFenced = await until(
      "fenced before the other has its partitions",
      async () => {
        const { length } = await other.owned();
        const { fenced } = await cutOff.status();
        assert.ok(length === 2 || fenced !== undefined, "it delivers what another one has");
        return fenced !== undefined && (await cutOff.metric("kafkaproxy_deliveries_total"));
      },
    );
    await until("the other has all", async () => (await other.owned()).length === 4);
    const finished = recorder.finished;
    await until("1,000 more", () => recorder.finished >= finished + 1_000);
    assert.equal(await cutOff.metric("kafkaproxy_deliveries_total"), deliveredWhenFenced);
    assert.deepEqual(await cutOff.owned(), [0, 2], "it does not know that they are gone");

    for (const relay of relays) relay.restore();
    await until("it has its partitions again", async () => (await other.owned()).length === 2);
    await until("20,000 finished", () => recorder.finished === 20_000);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    await until("it serves them", async () => (await cutOff.owned()).join() === "0,2");
    const twice = [...recorder.deliveries.values()].filter(({ length }) => length > 1).length;
    const duplicates = recorder.duplicates().length;
    console.log(`delivered more than once: ${twice}; after an ack was sent: ${duplicates}`);
    assert.ok(duplicates <= 20, `${duplicates} duplicates of 20,000`);
    for (const proxy of [cutOff, other]) {
      assert.equal(await proxy.metric("kafkaproxy_dead_letters_total"), 0, "nothing is given up");
    }
  } finally {
    for (const relay of relays) relay.restore();
    await scene.close();
  }
});
