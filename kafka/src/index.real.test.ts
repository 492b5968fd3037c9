import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { startKafka } from "../../test/servers/index.ts";
import type { KafkaCluster } from "../../test/servers/index.ts";

let kafka: KafkaCluster;

before(async () => {
  kafka = await startKafka();
});

after(async () => {
  await kafka.stop();
});

test("a whole life: after close nothing keeps the process, and nothing was warned of", async () => {
  await kafka.createTopic("life", { partitions: 2 });
  await kafka.produce("life", [{ value: "a" }, { value: "b" }, { value: "c" }]);
  const script = `
    import { Fetcher, GroupMember, GroupOffsets, KafkaConnection, Producer, logOffsets, noHeaders } from "@kafkaproxy/kafka";
    process.on("warning", (warning) => { console.error(warning); process.exit(3); });
    const settings = { bootstrapServers: ${JSON.stringify(kafka.bootstrapServers)} };
    const connection = new KafkaConnection(settings);
    const producer = new Producer(connection);
    await producer.produce("life", 0, [{ timestamp: 1, key: null, value: Buffer.from("d"), headers: noHeaders }]);
    const read = [];
    const { promise: all, resolve } = Promise.withResolvers();
    const fetcher = new Fetcher({ settings, topic: "life", handlers: {
      batch: ({ records }) => { read.push(...records); if (read.length === 4) resolve(); },
      outOfRange: () => process.exit(4),
    } });
    fetcher.start();
    const member = new GroupMember({ settings, groupId: "life", topic: "life", instanceId: "pod-0",
      ordinal: 0, replicas: 1, configGeneration: 1, handlers: {
        assigned: async (partitions) => {
          const log = await logOffsets(connection, "life", partitions);
          for (const partition of partitions) fetcher.add(partition, log.get(partition).earliest);
        },
        revoked: async (partitions, identity) => {
          await member.commit(partitions.map((partition) => ({ partition, offset: fetcher.position(partition), metadata: "m" })), identity);
          for (const partition of partitions) fetcher.remove(partition);
        },
        lost: () => process.exit(5),
        generation: () => undefined,
      } });
    member.start();
    await all;
    await member.close({ leave: true });
    const lag = await new GroupOffsets(connection, "life", "life").lag();
    await Promise.all([fetcher.close(), connection.close()]);
    process.stdout.write(JSON.stringify([...lag.values()].map(({ lag }) => lag)));
    // The process ends by itself only when no socket and no timer is left.
  `;
  const child = spawn(
    process.execPath,
    ["--conditions=kafkaproxy-source", "--input-type=module", "--eval", script],
    { stdio: ["ignore", "pipe", "pipe"], cwd: import.meta.dirname },
  );
  let out = "";
  let words = "";
  child.stdout.on("data", (chunk: Buffer) => (out += String(chunk)));
  child.stderr.on("data", (chunk: Buffer) => (words += String(chunk)));
  const code = await new Promise((resolve) => {
    child.once("close", resolve);
  });
  assert.equal(code, 0, words);
  assert.equal(out, "[0,0]");
});
