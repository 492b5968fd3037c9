import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startKafka } from "../../../test/servers/index.ts";
import type { KafkaCluster } from "../../../test/servers/index.ts";
import { KafkaConnection } from "../connection/index.ts";
import { until } from "../connection/test-until.ts";
import { KafkaError } from "../errors.ts";
import { Fleet } from "./test-fleet.ts";

let kafka: KafkaCluster;
const fleets: Fleet[] = [];

before(async () => {
  kafka = await startKafka({ brokers: 3 });
});

after(async () => {
  await Promise.all(fleets.map(async (fleet) => await fleet.close()));
  await kafka.stop();
});

for (const failure of ["dies", "freezes"] as const) {
  test(`the coordinator ${failure}: the members go on with the next one`, {
    timeout: 180_000,
  }, async () => {
    const groupId = `group-${failure}`;
    const topic = `topic-${failure}`;
    await kafka.createTopic(topic, { partitions: 4 });
    const fleet = new Fleet({ bootstrapServers: kafka.bootstrapServers, groupId, topic });
    fleets.push(fleet);
    const members = [0, 1].map(
      (ordinal) =>
        fleet.add(`pod-${ordinal}`, { ordinal, replicas: 2, sessionTimeoutMs: 30_000 }).member,
    );
    await fleet.settled(4, { "pod-0": [0, 2], "pod-1": [1, 3] });
    const connection = new KafkaConnection({ bootstrapServers: kafka.bootstrapServers });
    const nodeId = await connection.coordinator(groupId);
    const broker = kafka.brokers.find((one) => one.nodeId === nodeId)!;
    const stopped = performance.now();
    if (failure === "dies") await broker.kill();
    else broker.freeze();
    await until("heartbeats with another coordinator", () =>
      members.every(
        ({ state, lastHeartbeatAt }) => state === "stable" && lastHeartbeatAt > stopped + 1_000,
      ),
    );
    await fleet.settled(4, { "pod-0": [0, 2], "pod-1": [1, 3] });
    await until("a commit", async () => {
      try {
        const refused = await members[0]!.commit(
          [{ partition: 0, offset: 5, metadata: "" }],
          members[0]!.identity!,
        );
        return refused.size === 0;
      } catch (error) {
        assert.ok(error instanceof KafkaError && error.retriable, String(error));
        return false;
      }
    });
    if (failure === "dies") await broker.start();
    else broker.thaw();
    await fleet.close();
    await connection.close();
  });
}
