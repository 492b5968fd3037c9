import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "./index.ts";
import { FakeProxy } from "./testing/fake-proxy.ts";
import { FakeTopic } from "./testing/fake-topic.ts";
import { until } from "./testing/until.ts";

const partitions = [0, 1, 2, 3];
const perPartition = 700;

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

for (const mode of ["pull", "push"] as const) {
  for (const seed of [1, 2, 3]) {
    test(`${mode}, seed ${seed}: proxies that are cut, moved, killed, or cut off from Kafka and claim on, cost no message, and no work that was done is done again`, async (t) => {
      const random = randomFrom(seed);
      const topic = new FakeTopic();
      for (const partition of partitions) topic.produce(partition, perPartition);
      const limits = { ackTimeoutMs: 3_000 };
      const proxies = await Promise.all(
        [0, 1, 2].map((index) =>
          new FakeProxy(topic, {
            instance: `p${index}`,
            partitions: partitions.filter((partition) => partition % 3 === index),
            autoCommit: false,
            limits,
          }).start(),
        ),
      );
      const addresses = proxies.map(({ address }) => address);
      const clients = await Promise.all(
        [1, 2, 3].map(() =>
          connect({ proxies: addresses, topic: "orders", consumerGroup: "billing", mode }),
        ),
      );
      // Also when it fails: what still runs would keep the process up.
      t.after(async () => {
        await Promise.all(clients.map((client) => client.close({ timeoutMs: 0 })));
        await Promise.all(proxies.map((proxy) => proxy.stop()));
      });
      const finished = new Map<string, number>();
      const again: string[] = [];
      let lost = 0;
      const workers = clients.map((client) => {
        client.on("leaseLost", () => lost++);
        return client.work(
          async ({ msgId }) => {
            if (finished.has(msgId)) again.push(msgId);
            await pause(random() < 0.02 ? 700 : random() * 15);
            finished.set(msgId, (finished.get(msgId) ?? 0) + 1);
          },
          { concurrency: 8 },
        );
      });
      const committing = setInterval(() => {
        for (const proxy of proxies) proxy.commit();
      }, 50);
      t.after(() => clearInterval(committing));

      for (let fault = 0; fault < 14; fault++) {
        await pause(40 + random() * 120);
        const from = proxies[Math.floor(random() * 3)]!;
        const to = proxies.find((proxy) => proxy !== from && !proxy.isCutOff);
        // At least one is cut off.
        const kind = fault === 4 ? 0.4 : random();
        if (from.isCutOff) {
          from.rejoin();
        } else if (kind < 0.3) {
          from.cut();
        } else if (to === undefined) {
          proxies.find((proxy) => proxy.isCutOff)?.rejoin();
        } else if (kind < 0.5) {
          from.cutOff();
          await pause(random() * 100);
          to.takeOver(from.partitions);
          // Its clients come back to it after they have heard of the new owner.
          from.cut();
        } else if (kind < 0.8) {
          const [moving, ...rest] = from.partitions;
          if (moving !== undefined) {
            from.setPartitions(rest);
            await pause(random() * 100);
            to.takeOver([moving]);
          }
        } else {
          const moving = from.partitions;
          await from.kill();
          await pause(random() * 300);
          const backItself = random() < 0.5;
          if (backItself) from.takeOver(moving);
          await from.start();
          if (!backItself) to.takeOver(moving);
        }
      }

      assert.ok(topic.unsettled > 0, "the faults fell into the work");
      await until(() => topic.unsettled === 0, `all settled; ${topic.unsettled} are not`);
      await Promise.all(clients.map((client) => client.close()));
      clearInterval(committing);
      await Promise.all(proxies.map((proxy) => proxy.stop()));
      assert.equal(finished.size, partitions.length * perPartition);
      assert.deepEqual(again, [], "started again after it was done");
      assert.equal(lost, 0);
      assert.equal(
        workers.reduce((sum, worker) => sum + worker.stats.acked, 0),
        partitions.length * perPartition,
      );
    });
  }
}
