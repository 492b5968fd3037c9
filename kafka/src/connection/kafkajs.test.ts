import assert from "node:assert/strict";
import { test } from "node:test";
import {
  Decoder,
  Encoder,
  installedVersion,
  knownVersion,
  messages,
  neededVersions,
} from "./kafkajs.ts";
import { unconnected } from "./test-connection.ts";

test("kafkajs is exactly the version whose internals were read", () => {
  assert.equal(installedVersion, knownVersion);
});

test("a connection has what we reach for", () => {
  const connection = unconnected();
  for (const name of ["connect", "disconnect", "authenticate", "isConnected", "send"] as const) {
    assert.equal(typeof connection[name], "function", name);
  }
  assert.equal(typeof connection.processData, "function");
  assert.equal(typeof connection.setVersions, "function");
  assert.equal(typeof connection.setSupportAuthenticationProtocol, "function");
  assert.equal(connection.authHandlers, null);
  const { requestQueue } = connection;
  assert.deepEqual(requestQueue.pending, []);
  assert.equal(requestQueue.throttledUntil, -1);
  assert.equal(requestQueue.throttleCheckTimeoutId, null);
  assert.equal(typeof requestQueue.rejectAll, "function");
  assert.equal(typeof requestQueue.fulfillRequest, "function");
  assert.equal(typeof requestQueue.checkPendingRequests, "function");
  // The check that runs while nothing waits, which ours replaces, is called and still is as it was.
  const queue: Record<string, unknown> = Object.getPrototypeOf(requestQueue);
  assert.match(String(queue["checkPendingRequests"]), /this\.scheduleCheckPendingRequests\(\)/);
  assert.match(String(queue["scheduleCheckPendingRequests"]), /setTimeout/);
});

test("numbers, strings and bytes are written as the protocol wants them", () => {
  const { buffer } = new Encoder()
    .writeInt8(-1)
    .writeInt16(2)
    .writeInt32(-3)
    .writeInt64(2 ** 53 - 1)
    .writeString("é")
    .writeString(null)
    .writeBytes(Buffer.from([7]));
  assert.equal(buffer.toString("hex"), "ff0002fffffffd001fffffffffffff0002c3a9ffff0000000107");
  const from = new Decoder(buffer);
  assert.equal(from.readInt8(), -1);
  assert.equal(from.readInt16(), 2);
  assert.equal(from.readInt32(), -3);
  assert.equal(from.readInt64(), 2n ** 53n - 1n);
  assert.equal(from.readString(), "é");
  assert.equal(from.readString(), null);
  assert.deepEqual(from.readBytes(), Buffer.from([7]));
});

test("every message says the version that we ask brokers for", async () => {
  const topics = [{ topic: "t", partitions: [] }];
  const made = [
    messages.listOffsets({ replicaId: -1, isolationLevel: 1, topics }),
    messages.metadata({ topics: ["t"], allowAutoTopicCreation: false }),
    messages.offsetCommit({ groupId: "g", groupGenerationId: 1, memberId: "m", topics }),
    messages.offsetFetch({ groupId: "g", topics }),
    messages.findCoordinator({ coordinatorKey: "g", coordinatorType: 0 }),
    messages.joinGroup({
      groupId: "g",
      sessionTimeout: 1,
      rebalanceTimeout: 1,
      memberId: "",
      groupInstanceId: "i",
      protocolType: "consumer",
      groupProtocols: [{ name: "n", metadata: Buffer.alloc(0) }],
    }),
    messages.syncGroup({
      groupId: "g",
      generationId: 1,
      memberId: "m",
      groupInstanceId: "i",
      groupAssignment: [],
    }),
    messages.heartbeat({ groupId: "g", groupGenerationId: 1, memberId: "m", groupInstanceId: "i" }),
    messages.leaveGroup({ groupId: "g", members: [{ memberId: "", groupInstanceId: "i" }] }),
  ];
  for (const { request, response } of made) {
    assert.equal(request.apiVersion, neededVersions.get(request.apiKey)?.version, request.apiName);
    assert.ok((await request.encode()).buffer.length > 0);
    assert.equal(typeof response.decode, "function");
  }
  const creating = messages.createTopics({ topics: [], timeout: 1 });
  assert.deepEqual([creating.request.apiKey, creating.request.apiVersion], [19, 4]);
});
