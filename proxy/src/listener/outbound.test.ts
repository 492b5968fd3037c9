import assert from "node:assert/strict";
import { test } from "node:test";
import { OutboundBudget } from "./outbound-budget.ts";
import type { RawClient } from "./testing/raw-client.ts";
import { pull, Stage } from "./testing/stage.ts";

const mebibyte = 1024 * 1024;

test("the budget: room for a whole frame, a share for each, a part that is kept free", () => {
  const budget = new OutboundBudget({ maxBytes: 64 * mebibyte, maxFrameBytes: 16 * mebibyte });
  assert.equal(budget.hasRoom, true);
  budget.add(42 * mebibyte);
  assert.equal(budget.hasRoom, true);
  budget.add(mebibyte);
  assert.equal(budget.hasRoom, false);
  assert.equal(budget.isOver, false);
  assert.equal(budget.ownBytes(4), 256 * 1024);
  assert.equal(budget.pullBytes(4), (42 * mebibyte) / 4 - 256 * 1024);
  assert.equal(budget.ownBytes(10_000), 32 * 1024);
  assert.equal(budget.pullBytes(10_000), 96 * 1024);
  const tight = new OutboundBudget({ maxBytes: mebibyte, maxFrameBytes: mebibyte });
  assert.equal(tight.hasRoom, true);
});

/** Pulls and acks as fast as it can until it has seen `count` records. */
async function work(client: RawClient, count: number): Promise<number> {
  let seen = 0;
  for (let requestId = 1; seen < count; requestId++) {
    client.send(pull(requestId));
    const { records } = await client.next("deliver");
    seen += records.length;
    const ranges = records.map(({ partition, offset }) => ({
      partition,
      first: offset,
      last: offset,
    }));
    client.send({ type: "ack", ranges });
  }
  return seen;
}

test("clients that stop reading are bounded together, and one that reads goes on", async () => {
  const maxOutboundBytes = 8 * mebibyte;
  await using stage = new Stage({
    listener: { maxOutboundBytes, maxFrameBytes: 3 * mebibyte },
    pull: { maxBytes: "2MiB" },
    // Nobody is closed as too slow while this test runs.
    delivery: { ackTimeout: "1h", maxProcessingTime: "1h" },
  });
  await stage.start();
  stage.admit(400, 512 * 1024);
  let most = 0;
  const watch = setInterval(() => {
    most = Math.max(most, stage.listener.outboundBytes);
  }, 1);
  // Each asks for far more than the system's own buffers hold, and reads nothing.
  const stuck = Array.from({ length: 6 }, () => stage.client());
  for (const client of stuck) {
    await client.open();
    client.socket.pause();
    for (let requestId = 1; requestId <= 40; requestId++) client.send(pull(requestId));
  }
  const reader = stage.client();
  await reader.open();
  assert.ok((await work(reader, 100)) >= 100);
  clearInterval(watch);
  assert.deepEqual(stage.listener.counters.failed, {});
  assert.ok(most > 0 && most <= maxOutboundBytes, `${most} bytes waited`);
});

test("who takes nothing for long is closed as too slow, and its bytes are given back", async () => {
  await using stage = new Stage();
  await stage.start();
  stage.admit(100, mebibyte);
  const stuck = stage.client();
  await stuck.open();
  stuck.socket.pause();
  for (let requestId = 1; requestId <= 20; requestId++) stuck.send(pull(requestId));
  await stuck.until(() => stage.listener.outboundBytes > 0, "bytes that wait");
  stage.skewMs += 11_000;
  await stuck.until(() => stage.listener.connections === 0, "the cut");
  assert.equal(stage.listener.outboundBytes, 0);
  assert.equal(stage.listener.counters.failed["too-slow"], 1);
});

test("a client that asks and does not read is read no more, until it reads", async () => {
  await using stage = new Stage();
  await stage.start();
  const flood = stage.client();
  await flood.open();
  flood.socket.pause();
  let sent = 0;
  // Until TCP itself holds the sender back: then the listener has stopped reading.
  while (flood.socket.writableLength < mebibyte) {
    for (let more = 0; more < 5_000; more++) flood.send({ type: "ping", nonce: sent++ });
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(sent < 20_000_000, "the listener reads on and on");
  }
  assert.ok(stage.listener.outboundBytes <= 2 * mebibyte, `${stage.listener.outboundBytes} bytes`);
  flood.socket.resume();
  let pongs = 0;
  await flood.until(() => {
    pongs += flood.frames.splice(0).filter(({ type }) => type === "pong").length;
    return pongs >= sent;
  }, "all pongs");
  assert.equal(pongs, sent);
});

test("large records go through whole, in order of their bytes", async () => {
  await using stage = new Stage();
  await stage.start();
  const client = stage.client();
  await client.open();
  client.send(pull(1), pull(2));
  stage.admit(4, 7 * mebibyte);
  const frames = [await client.next("deliver"), await client.next("deliver")];
  const values = frames.flatMap(({ records }) => records.map(({ value }) => value));
  assert.deepEqual(
    values.map((value) => value?.byteLength),
    Array(values.length).fill(7 * mebibyte),
  );
  assert.ok(values.every((value) => value?.every((byte) => byte === 7)));
});
