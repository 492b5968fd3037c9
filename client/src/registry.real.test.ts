import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { encodeRegistryRecord, registryPath } from "@kafkaproxy/wire";
import { type EphemeralNode, ZooKeeperSession } from "@kafkaproxy/zookeeper";
import { startZooKeeper, type ZooKeeperServer } from "../../test/servers/index.ts";
import { Client } from "./client.ts";
import { readConfig } from "./config.ts";
import { registryDiscovery } from "./discovery/index.ts";
import { connect } from "./index.ts";
import { FakeProxy } from "./testing/fake-proxy.ts";
import { FakeTopic } from "./testing/fake-topic.ts";
import { until } from "./testing/until.ts";

const target = { namespace: "shop", topic: "orders", consumerGroup: "billing" };
let server: ZooKeeperServer;
let registrar: ZooKeeperSession;

before(async () => {
  server = await startZooKeeper();
  registrar = new ZooKeeperSession({ servers: server.connectString });
  registrar.start();
  await registrar.connected();
});

after(async () => {
  await registrar?.close();
  await server?.stop();
});

function register(proxy: FakeProxy): EphemeralNode {
  const record = encodeRegistryRecord({
    host: "127.0.0.1",
    port: proxy.port,
    tls: false,
    protocol: 1,
    instance: proxy.instance,
    pod: "",
    zone: "",
    started: new Date().toISOString(),
  });
  return registrar.holdEphemeral(registryPath(target, proxy.instance), Buffer.from(record));
}

test("follows the registry: proxies that come, go, and come anew; and works on while ZooKeeper is away", async () => {
  const topic = new FakeTopic();
  const first = await new FakeProxy(topic, { instance: "a", partitions: [0] }).start();
  const second = await new FakeProxy(topic, { instance: "b", partitions: [1] }).start();
  // Before anybody has registered: the path does not even exist.
  const client = await connect({ zookeeper: server.connectString, ...target });
  assert.equal(client.state, "waiting");
  const worker = client.work(() => undefined);
  topic.produce(0, 20);
  const a = register(first);
  await until(() => topic.unsettled === 0, "the first proxy is found");

  const b = register(second);
  await until(() => client.proxies.length === 2, "the second proxy is found");
  topic.produce(1, 20);
  second.offer();
  await until(() => topic.unsettled === 0, "and used");

  await b.close();
  topic.produce(1, 20);
  second.offer();
  await until(() => topic.unsettled === 0, "one that has left the registry still works");
  second.cut();
  await until(() => client.proxies.length === 1, "until its connection ends");
  assert.equal(client.state, "connected");

  await server.kill();
  first.cut();
  topic.produce(0, 20);
  await until(() => topic.unsettled === 0, "reconnects and works while ZooKeeper is away");
  await server.start();
  await until(() => a.present, "registered again");
  const c = register(second);
  await until(() => client.proxies.length === 2, "followed after the outage");
  await worker.drain();
  await client.close();
  await Promise.all([a.close(), c.close()]);
  await Promise.all([first.stop(), second.stop()]);
});

test("a proxy that comes and one that goes are seen when they do, not when the registry is read again", async () => {
  const config = readConfig({ zookeeper: server.connectString, ...target }, {}, "watching");
  const discovery = registryDiscovery({
    servers: server.connectString,
    auth: undefined,
    target: { ...target, root: config.root },
    logger: config.logger,
    // An hour: whatever is seen before the test gives up, a watch has said.
    resyncMs: 3_600_000,
  });
  const client = new Client(config, discovery);
  const connected = () => client.proxies.filter(({ state }) => state === "connected");
  const names = () => connected().map(({ instance }) => instance);
  await client.open();
  const topic = new FakeTopic();
  const first = await new FakeProxy(topic, { instance: "comes" }).start();
  const second = await new FakeProxy(topic, { instance: "comes-later", partitions: [] }).start();
  const a = register(first);
  await until(() => names().join() === "comes", "the first one is connected");
  const b = register(second);
  await until(() => names().length === 2, "and the second one beside it");
  await a.close();
  await first.stop();
  await until(
    () => client.proxies.map(({ instance }) => instance).join() === "comes-later",
    "the one that has gone is forgotten",
  );
  await b.close();
  const [left] = client.proxies;
  assert.equal(left?.state, "connected", "who has left the registry still works");
  const again = register(second);
  await until(() => again.present, "registered again");
  await first.start();
  const c = register(first);
  await until(() => names().length === 2, "a name that comes back");
  await client.close();
  await Promise.all([again.close(), c.close()]);
  await Promise.all([first.stop(), second.stop()]);
});

test("a client with TLS does not say its token to a proxy that registered without", async () => {
  const proxy = await new FakeProxy(new FakeTopic(), { instance: "bare" }).start();
  const node = register(proxy);
  await until(() => node.present, "registered");
  const started = connect({ zookeeper: server.connectString, ...target, tls: {}, token: "secret" });
  await assert.rejects(started, { code: "untrusted" });
  assert.equal(proxy.connections, 0);
  await node.close();
  await proxy.stop();
});

test("ZooKeeper that does not answer is an error of connect()", async () => {
  await server.kill();
  const started = connect({
    zookeeper: server.connectString,
    connectTimeoutMs: 300,
    ...target,
  });
  await assert.rejects(started, { code: "zookeeper-unavailable" });
  await server.start();
});
