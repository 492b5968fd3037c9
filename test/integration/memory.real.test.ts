// What a proxy holds in memory while workers are slow, many and of bad manners. Linux only: RSS from /proc.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { encodeFrame, type Frame } from "@kafkaproxy/wire";
import {
  createWorld,
  type ProxyProcess,
  Recorder,
  type Scene,
  until,
  type World,
} from "../harness/index.ts";

const MiB = 1024 * 1024;

let world: World;
before(async () => {
  world = await createWorld({ config: { "message.max.bytes": String(40 * MiB) } });
});
after(() => world.close());

function memoryMiB(proxy: ProxyProcess, what: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${proxy.pid}/status`, "utf8");
  return Number(new RegExp(`${what}:\\s+(\\d+)`, "u").exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** Bytes that wait to be read by workers. */
async function outboundMiB(proxy: ProxyProcess): Promise<number> {
  const text = await (await fetch(`http://${proxy.adminAddress}/metrics`)).text();
  const found = /^kafkaproxy_outbound_bytes(?:\{.*\})? (\S+)$/mu.exec(text)?.[1];
  assert.ok(found !== undefined, text);
  return Number(found) / MiB;
}

/** A worker that says hello, asks for all that it may, and then reads nothing. */
function deafWorker(proxy: ProxyProcess, scene: Scene): Socket {
  const [host = "", port = ""] = proxy.address.split(":");
  const socket = connect({ host, port: Number(port) });
  socket.on("error", () => undefined);
  const send = (frame: Frame): void => {
    for (const chunk of encodeFrame(frame)) socket.write(chunk);
  };
  send({
    type: "hello",
    minProtocol: 1,
    maxProtocol: 1,
    features: [],
    sessionId: "",
    token: "",
    namespace: "default",
    topic: scene.topic,
    consumerGroup: scene.group,
    mode: "push",
    clientName: "deaf",
  });
  send({ type: "credit", requestId: 1, delta: 10_000 });
  socket.pause();
  return socket;
}

test("slow workers and records of 1 MB: memory stays what the configuration says, and all are processed", async () => {
  const scene = await world.scene("slow-and-large", {
    partitions: 4,
    replicas: 1,
    settings: { queue: { maxBytes: "64MiB" } },
  });
  try {
    const proxy = scene.proxy(0);
    await proxy.serving();
    const emptyMiB = memoryMiB(proxy, "VmRSS");
    const recorder = new Recorder();
    await scene.workers(10, recorder, { handle: () => delay(250) });
    await world.kafka.fill(scene.topic, { count: 600, valueBytes: 1_000_000 });
    await until("600 finished", () => recorder.finished === 600);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    const most = memoryMiB(proxy, "VmHWM");
    console.log(
      `RSS: ${Math.round(emptyMiB)} MiB empty, at most ${Math.round(most)} MiB with 600 MB through it`,
    );
    // The window, two fetches of 16 MiB, the listener's 64 MiB, and as much again that the collector has not seen yet.
    assert.ok(most < emptyMiB + 2 * (64 + 32 + 64), `${most} MiB`);
    assert.deepEqual(recorder.duplicates(), []);
  } finally {
    await scene.close();
  }
});

test("600 MB that lie compressed to nothing in the log, and nobody takes them: memory stays what the configuration says", async () => {
  const scene = await world.scene("compressed", {
    partitions: 4,
    replicas: 1,
    topicConfig: { "compression.type": "zstd" },
    settings: { queue: { maxBytes: "64MiB" } },
  });
  try {
    await world.kafka.fill(scene.topic, { count: 600, valueBytes: 1_000_000 });
    const proxy = scene.proxy(0);
    await proxy.serving();
    const emptyMiB = memoryMiB(proxy, "VmRSS");
    await until("the windows are full", async () => {
      const { partitions } = await proxy.status();
      const ready = partitions.reduce((sum, one) => sum + one.ready, 0);
      return ready >= 60;
    });
    const recorder = new Recorder();
    await scene.workers(10, recorder);
    await until("600 finished", () => recorder.finished === 600);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    const most = memoryMiB(proxy, "VmHWM");
    console.log(
      `RSS: ${Math.round(emptyMiB)} MiB empty, at most ${Math.round(most)} MiB with 600 MB through it`,
    );
    // The window, what is fetched and waits before it, the listener's 64 MiB, and as much again not collected.
    assert.ok(most < emptyMiB + 2 * (64 + 16 + 64), `${most} MiB`);
    assert.deepEqual(recorder.duplicates(), []);
  } finally {
    await scene.close();
  }
});

test("workers that stop reading, with records of 16 MiB: bounded in memory, closed, and the others get everything", async () => {
  const scene = await world.scene("deaf", {
    partitions: 2,
    replicas: 1,
    topicConfig: { "max.message.bytes": String(32 * MiB) },
    // What the deaf were sent counts as delivered: the others are to see it all the same.
    settings: { delivery: { maxDeliveries: 1000, backoff: { initial: "100ms", max: "200ms" } } },
  });
  let watched: NodeJS.Timeout | undefined;
  const deaf: Socket[] = [];
  try {
    const record = (partition: number) => ({
      partition,
      key: null,
      value: Buffer.alloc(16 * MiB, 7),
    });
    for (let i = 0; i < 10; i++) await world.kafka.produce(scene.topic, [record(i % 2)]);
    const proxy = scene.proxy(0);
    await proxy.serving();
    const emptyMiB = memoryMiB(proxy, "VmRSS");
    for (let i = 0; i < 30; i++) deaf.push(deafWorker(proxy, scene));
    let mostOutbound = 0;
    watched = setInterval(() => {
      outboundMiB(proxy).then(
        (now) => (mostOutbound = Math.max(mostOutbound, now)),
        () => undefined,
      );
    }, 100);
    await until("something waits for those that do not read", () => mostOutbound > 10);
    await delay(5_000);
    const recorder = new Recorder();
    await scene.workers(4, recorder);
    await until("10 finished", () => recorder.finished === 10);
    await until("committed lag 0", async () => (await scene.lag()) === 0);
    const most = memoryMiB(proxy, "VmHWM");
    console.log(
      `RSS: ${Math.round(emptyMiB)} MiB empty, at most ${Math.round(most)} MiB; outbound at most ${Math.round(mostOutbound)} MiB`,
    );
    assert.ok(mostOutbound <= 64, `${mostOutbound} MiB waited`);
    assert.ok(most < emptyMiB + 2 * (128 + 64 + 64), `${most} MiB`);
    assert.match(proxy.log, /too-slow/u);
  } finally {
    clearInterval(watched);
    for (const socket of deaf) socket.destroy();
    await scene.close();
  }
});
