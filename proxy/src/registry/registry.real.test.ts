import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { after, before, test } from "node:test";
import { encodeRegistryRecord, parseRegistryRecord, proxiesPath } from "@kafkaproxy/wire";
import { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import { startZooKeeper, type ZooKeeperServer } from "../../../test/servers/index.ts";
import { parseSettings } from "../config/index.ts";
import { Registry } from "./index.ts";

const nothing = (): void => undefined;
const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

let server: ZooKeeperServer;
/** What clients see, through a session of its own. */
let eyes: ZooKeeperSession;

before(async () => {
  server = await startZooKeeper();
  eyes = new ZooKeeperSession({ servers: server.connectString, sessionTimeoutMs: 4_000 });
  eyes.start();
});

after(async () => {
  await eyes.close();
  await server.stop();
});

function scene(topic: string, listener: object = {}) {
  const config = parseSettings(
    {
      topic,
      consumerGroup: "billing",
      instance: "orders-0",
      kafka: { bootstrapServers: "localhost:9092" },
      zookeeper: { servers: server.connectString, sessionTimeout: "4s" },
      listener,
    },
    { KAFKAPROXY_POD: "orders-0", KAFKAPROXY_ZONE: "eu-west-1a" },
  );
  const session = new ZooKeeperSession({ servers: server.connectString, sessionTimeoutMs: 4_000 });
  session.start();
  const registry = new Registry({ session, config, logger, wallClock: () => 0 });
  const path = proxiesPath({ topic, consumerGroup: "billing" });
  const names = async (): Promise<string[]> => (await eyes.children(path)) ?? [];
  return { session, registry, path, names };
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      if (await holds()) return;
    } catch (error) {
      // The server may be away for now.
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what} did not come`, { cause: last });
}

test("there from register() to close(), with what clients need", async () => {
  const { session, registry, path, names } = scene("orders", {
    advertisedHost: "{instance}.proxies",
    advertisedPort: 443,
  });
  await session.connected();
  assert.equal(registry.present, false);
  registry.register(5_000);
  registry.register(5_001);
  await until("the node", async () => (await names()).includes("orders-0"));
  const node = await eyes.get(`${path}/orders-0`);
  assert.deepEqual(parseRegistryRecord(node?.data ?? Buffer.alloc(0)), {
    host: "orders-0.proxies",
    port: 443,
    tls: false,
    protocol: 1,
    instance: "orders-0",
    pod: "orders-0",
    zone: "eu-west-1a",
    started: "1970-01-01T00:00:00.000Z",
  });
  await until("to know it", () => Promise.resolve(registry.present));
  await registry.close();
  assert.deepEqual(await names(), []);
  registry.register(5_000);
  assert.equal(registry.present, false);
  await session.close();
});

test("whether another proxy is there: not ourselves, not a killed one, not while ZooKeeper is away", async (t) => {
  const { session, registry, path } = scene("others");
  t.after(() => session.close());
  await session.connected();
  assert.equal(await registry.hasOthers(), false);
  registry.register(5_000);
  await until("to know it", () => Promise.resolve(registry.present));
  assert.equal(await registry.hasOthers(), false);
  const listener = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  const own = await session.get(`${path}/orders-0`);
  assert.ok(own);
  const record = { ...parseRegistryRecord(own.data), host: "127.0.0.1", port };
  const other = eyes.holdEphemeral(
    `${path}/orders-1`,
    Buffer.from(encodeRegistryRecord({ ...record, instance: "orders-1" })),
  );
  await until("the other", () => registry.hasOthers());
  await server.kill();
  await until("ZooKeeper away", () => Promise.resolve(session.state !== "connected"));
  assert.equal(await registry.hasOthers(), false);
  await server.start();
  await until("the other again", () => registry.hasOthers());
  await new Promise((resolve) => listener.close(resolve));
  assert.equal(await registry.hasOthers(), false, "a node of one that was killed");
  await eyes.connected();
  await other.close();
});

test("registered before ZooKeeper is reached, and again after it restarted and after it was silent for longer than the session lasts", async () => {
  await server.kill();
  const { session, registry, names } = scene("survives");
  registry.register(5_000);
  await server.start();
  await until("the node", async () => (await names()).includes("orders-0"));
  await server.kill();
  await server.start();
  await until("the node after a restart", async () => (await names()).includes("orders-0"));
  server.freeze();
  await new Promise((resolve) => setTimeout(resolve, 9_000));
  server.thaw();
  await until("the node after the silence", async () => {
    return registry.present && (await names()).includes("orders-0");
  });
  await registry.close();
  await until("it gone", async () => (await names()).length === 0);
  await session.close();
});
