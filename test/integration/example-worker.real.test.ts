// examples/worker, as its README runs it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createWorld, until, type World } from "../harness/index.ts";

const program = join(import.meta.dirname, "../../examples/worker/src/worker.ts");
let world: World;
before(async () => {
  world = await createWorld();
});
after(() => world.close());

test("the example works, rejects what it can't read, and drains at SIGTERM", async () => {
  const scene = await world.scene("example", { partitions: 2, replicas: 1 });
  const worker = spawn(process.execPath, ["--conditions=kafkaproxy-source", program], {
    stdio: ["ignore", "pipe", "inherit"],
    env: {
      ...process.env,
      KAFKAPROXY_ZOOKEEPER: world.zookeeper.connectString,
      KAFKAPROXY_TOPIC: scene.topic,
      KAFKAPROXY_CONSUMER_GROUP: scene.group,
    },
  });
  let output = "";
  worker.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  const ended = once(worker, "close");
  try {
    await scene.proxy(0).serving();
    const orders = Array.from({ length: 100 }, (_, n) => ({
      partition: n % 2,
      value: n === 42 ? "no JSON" : JSON.stringify({ id: `order-${n}`, amount: n }),
    }));
    await world.kafka.produce(scene.topic, orders);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    worker.kill("SIGTERM");
    assert.deepEqual(await ended, [0, null], output);
    const events = output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { event: string; acked?: number; rejected?: number });
    assert.equal(events.filter(({ event }) => event === "charged").length, 99);
    const drained = events.find(({ event }) => event === "drained");
    assert.equal(drained?.acked, 99);
    assert.equal(drained.rejected, 1);
  } finally {
    worker.kill("SIGKILL");
    await scene.close();
  }
});
