import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { encodeRegistryRecord, registryPath } from "@kafkaproxy/wire";
import { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import { node20, startZooKeeper, type ZooKeeperServer } from "../../test/servers/index.ts";
import { FakeProxy } from "./testing/fake-proxy.ts";
import { FakeTopic } from "./testing/fake-topic.ts";

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

const program = `
  import { connect } from ${JSON.stringify(new URL("../dist/index.js", import.meta.url).href)};
  const client = await connect();
  let seen = 0;
  const worker = client.work(async (message, { signal }) => {
    if (message.text() === "1" && message.attempt === 1) throw new Error("once more");
    signal.throwIfAborted();
    if (++seen === 100) void client.close();
  });
  await worker.finished;
  console.log(JSON.stringify({ ...worker.stats, node: process.version }));
`;

/** What the environment of a workload says about where the proxies are. */
const ways = {
  "a list of proxies": ({ address }: FakeProxy) => ({ KAFKAPROXY_PROXIES: address }),
  ZooKeeper: () => ({ KAFKAPROXY_ZOOKEEPER: server.connectString }),
};

for (const [major, find] of [
  [process.versions.node.split(".")[0], () => process.execPath],
  ["20", node20],
] as const) {
  for (const [name, way] of Object.entries(ways)) {
    test(`what is published runs on Node.js ${major}, with ${name}`, async () => {
      const node = await find();
      for (const mode of ["pull", "push"]) {
        const topic = new FakeTopic();
        topic.produce(0, 100);
        const proxy = await new FakeProxy(topic).start();
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
        const path = registryPath(target, proxy.instance);
        const registered = registrar.holdEphemeral(path, Buffer.from(record));
        const { stdout } = await promisify(execFile)(
          node,
          ["--input-type=module", "--eval", program],
          {
            env: {
              ...way(proxy),
              KAFKAPROXY_NAMESPACE: target.namespace,
              KAFKAPROXY_TOPIC: target.topic,
              KAFKAPROXY_CONSUMER_GROUP: target.consumerGroup,
              KAFKAPROXY_MODE: mode,
            },
            timeout: 60_000,
          },
        );
        const { acked, nacked, node: version } = JSON.parse(stdout);
        assert.deepEqual({ acked, nacked }, { acked: 100, nacked: 1 });
        assert.match(version, new RegExp(`^v${major}\\.`, "u"));
        await registered.close();
        await proxy.stop();
      }
    });
  }
}
