import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeFrame, type Frame } from "@kafkaproxy/wire";
import * as fc from "fast-check";
import { hello } from "./testing/raw-client.ts";
import { pull, Stage } from "./testing/stage.ts";

test("a fault in dispatch ends the connection that met it, and nothing else", async () => {
  await using stage = await new Stage().start();
  const other = stage.client();
  await other.open();
  const client = stage.client();
  await client.open();
  stage.dispatch.receive = () => {
    throw new Error("a fault inside");
  };
  client.send(pull(1));
  const error = await client.next("error");
  assert.equal(error.code, "internal");
  assert.ok(!error.message.includes("a fault inside"));
  await client.ended();
  assert.ok(stage.log.some(({ level, fields }) => level === "error" && "err" in fields));
  other.send({ type: "ping", nonce: 5 });
  assert.equal((await other.next("pong")).nonce, 5);
});

test("a frame that can't be encoded ends its connection, and dispatch is not disturbed", async () => {
  await using stage = await new Stage().start();
  const client = stage.client();
  await client.open();
  const unsendable = { type: "credit", requestId: -1, delta: 0 } satisfies Frame;
  const receive = stage.dispatch.receive.bind(stage.dispatch);
  let reached = false;
  stage.dispatch.receive = (now, sessionId, frame) => {
    const port = ports.get(sessionId);
    port?.send(unsendable);
    reached = true;
    receive(now, sessionId, frame);
  };
  const ports = new Map<string, { send(frame: Frame): void }>();
  const open = stage.dispatch.open.bind(stage.dispatch);
  stage.dispatch.open = (now, info, port) => {
    ports.set(info.sessionId, port);
    open(now, info, port);
  };
  const second = stage.client();
  await second.open();
  second.send(pull(1));
  assert.equal((await second.next("error")).code, "internal");
  await second.ended();
  assert.ok(reached);
  assert.equal(client.closed, false);
});

test("any bytes, before hello and after: an answer or silence, and the next client is served", async () => {
  await using stage = await new Stage().start();
  stage.admit(1_000, 10);
  const good = Buffer.concat([
    ...encodeFrame(hello),
    ...encodeFrame(pull(1)),
    ...encodeFrame({ type: "ack", ranges: [{ partition: 0, first: 0, last: 5 }] }),
  ]);
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    // A good conversation with some bytes changed.
    fc
      .array(fc.tuple(fc.nat(good.byteLength - 1), fc.nat(255)), { maxLength: 4 })
      .map((changes) => {
        const changed = Uint8Array.from(good);
        for (const [at, byte] of changes) changed[at] = byte;
        return changed;
      }),
  );
  await fc.assert(
    fc.asyncProperty(bytes, async (sent) => {
      const client = stage.client();
      client.socket.end(sent);
      await client.ended();
    }),
    { numRuns: 400 },
  );
  const client = stage.client();
  await client.open();
  client.send({ type: "ping", nonce: 1 });
  await client.next("pong");
  assert.ok(!stage.log.some(({ level }) => level === "error"));
});

test("a socket that vanishes in the middle of a large delivery gives its bytes back", async () => {
  await using stage = await new Stage().start();
  for (let round = 0; round < 5; round++) {
    stage.admit(6, 5 * 1024 * 1024);
    const client = stage.client();
    await client.open();
    client.socket.pause();
    client.send(pull(1), pull(2));
    await client.until(() => stage.listener.outboundBytes > 0, "bytes that wait");
    client.socket.resetAndDestroy();
    await client.until(() => stage.listener.connections === 0, "the end");
    assert.equal(stage.listener.outboundBytes, 0);
  }
});
