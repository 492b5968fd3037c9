// Two proxies that claim one partition: one of them is cut off from Kafka, and does not know that it was given away.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { connect, type ProxyClient, type Worker } from "./index.ts";
import { FakeProxy } from "./testing/fake-proxy.ts";
import { FakeTopic } from "./testing/fake-topic.ts";
import { until } from "./testing/until.ts";

const count = 50;
const limits = { ackTimeoutMs: 3_000 };

class Scene {
  /** What the partition's owner serves. */
  readonly topic = new FakeTopic();
  /** What the other one remembers: nothing of what its successor does ever gets there. */
  readonly memory = new FakeTopic();
  readonly owner: FakeProxy;
  readonly stale: FakeProxy;
  readonly handled: number[] = [];
  #client: ProxyClient | undefined;

  constructor(t: TestContext, generations: { readonly owner: number; readonly stale: number }) {
    this.topic.generation = generations.owner;
    this.memory.generation = generations.stale;
    this.owner = new FakeProxy(this.topic, { instance: "owner", limits });
    this.stale = new FakeProxy(this.memory, { instance: "stale", limits, autoCommit: false });
    t.after(async () => {
      await this.#client?.close({ timeoutMs: 0 });
      await this.owner.stop();
      await this.stale.stop();
    });
  }

  async connect(): Promise<Worker> {
    const client = await connect({
      proxies: [this.owner.address, this.stale.address],
      topic: "orders",
      consumerGroup: "billing",
    });
    this.#client = client;
    return client.work(({ offset }) => void this.handled.push(offset), { concurrency: 10 });
  }

  async connected(): Promise<void> {
    await until(
      () => this.#client?.proxies.every(({ partitions }) => partitions.length > 0) === true,
      "both claim the partition",
    );
  }

  /** What the owner delivers from here on is handled once, and acked to it alone. */
  async eachIsAckedToTheOwner(worker: Worker): Promise<void> {
    this.topic.produce(0, count);
    this.owner.offer();
    await until(() => this.topic.unsettled === 0, `${this.topic.unsettled} are not settled`);
    assert.deepEqual(
      this.handled.toSorted((a, b) => a - b),
      [...Array(count).keys()],
    );
    assert.equal(worker.stats.acked, count);
    await worker.drain();
    assert.equal(this.stale.received.filter(({ type }) => type === "ack").length, 0);
    assert.equal(this.topic.mostDeliveries, 1);
  }
}

for (const [what, stale] of [
  ["whoever reaches the proxy that is cut off after the partition's owner acks to the owner", 1],
  ["two of one generation, as a process and the one that replaces it: acks go to who delivered", 2],
] as const) {
  test(what, async (t) => {
    const scene = new Scene(t, { owner: 2, stale });
    await scene.owner.start();
    await scene.stale.start();
    await scene.stale.unplug();
    const worker = await scene.connect();
    await scene.stale.start();
    await scene.connected();
    await scene.eachIsAckedToTheOwner(worker);
  });
}

test("when the one that is cut off notices, the owner is the owner without announcing it again", async (t) => {
  const scene = new Scene(t, { owner: 2, stale: 1 });
  await scene.owner.start();
  await scene.stale.start();
  const worker = await scene.connect();
  await scene.connected();
  scene.stale.setPartitions([]);
  await scene.eachIsAckedToTheOwner(worker);
});

test("acks that only the one that is cut off could hear are the owner's as soon as it is there", async (t) => {
  const scene = new Scene(t, { owner: 2, stale: 1 });
  scene.memory.produce(0, count);
  await scene.owner.start();
  await scene.owner.unplug();
  await scene.stale.start();
  const worker = await scene.connect();
  await until(() => scene.handled.length === count, "all handled");
  // It delivered them before it was cut off, and what it took since will never be committed.
  scene.topic.produce(0, count);
  await scene.owner.start();
  await until(() => scene.topic.unsettled === 0, "presented to the owner");
  assert.equal(scene.topic.mostDeliveries, 0);
  assert.equal(worker.stats.acked, count);
});
