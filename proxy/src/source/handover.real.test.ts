import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Logger } from "@kafkaproxy/kafka";
import { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import { startZooKeeper, type ZooKeeperServer } from "../../../test/servers/index.ts";
import { ZooKeeperBirth } from "./birth-store.ts";
import { ZooKeeperHandover } from "./handover.ts";

const words: string[] = [];
const say = (_fields: object, message: string): void => void words.push(message);
const logger: Logger = { debug: () => undefined, info: say, warn: say, error: say };

let zookeeper: ZooKeeperServer;
let session: ZooKeeperSession;
before(async () => {
  zookeeper = await startZooKeeper();
  session = new ZooKeeperSession({ servers: zookeeper.connectString });
});
after(async () => {
  await session.close();
  await zookeeper.stop();
});

test("what was left is found with the very commit that it was left for, by a session that has just begun", async () => {
  const store = new ZooKeeperHandover(session, "/kafkaproxy/default/t/g", logger);
  const commit = { offset: 7, metadata: "abc" };
  session.start();
  assert.equal(await store.leave(3, commit, Buffer.from("overflow")), true);
  assert.deepEqual(await store.find(3, commit), Buffer.from("overflow"));
  assert.equal(await store.find(3, { offset: 7, metadata: "" }), undefined);
  assert.equal(await store.find(3, { offset: 8, metadata: "abc" }), undefined);
  assert.equal(await store.find(4, commit), undefined);
  await store.remove(3, { offset: 6, metadata: "abc" });
  assert.deepEqual(await store.find(3, commit), Buffer.from("overflow"), "a later owner's");
  await store.remove(3, commit);
  assert.equal(await store.find(3, commit), undefined);
  assert.equal(await store.leave(3, commit, Buffer.alloc(1_100_000)), false);
});

test("a group's birth is kept for those that begin with it; what is not ours is no birth", async () => {
  const births = new ZooKeeperBirth(session, "/kafkaproxy/default/t/g", logger);
  assert.equal(await births.find(), undefined);
  await births.record({ partitions: 4 });
  assert.deepEqual(await births.find(), { partitions: 4 });
  await session.put("/kafkaproxy/default/t/g/birth", Buffer.from("?"));
  assert.equal(await births.find(), undefined);
});

test("ZooKeeper away: a move does not wait for it", async () => {
  await zookeeper.kill();
  const store = new ZooKeeperHandover(session, "/kafkaproxy/default/t/g", logger);
  const startedAt = performance.now();
  assert.equal(await store.leave(3, { offset: 7, metadata: "" }, Buffer.from("x")), false);
  assert.equal(await store.find(3, { offset: 7, metadata: "" }), undefined);
  assert.ok(performance.now() - startedAt < 30_000);
  await zookeeper.start();
});
