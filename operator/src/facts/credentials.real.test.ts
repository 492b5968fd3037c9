/** With a real Kafka and ZooKeeper: what an operator sees with right credentials, and with wrong ones. */
import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import { groupPath } from "@kafkaproxy/wire";
import {
  type KafkaCluster,
  startKafka,
  startZooKeeper,
  type ZooKeeperServer,
} from "../../../test/servers/index.ts";
import { readResource } from "../api/index.ts";
import { type KubeClient, KubeError, type Logger } from "../runtime/index.ts";
import { quiet, until } from "../runtime/test-api.ts";
import { ConnectionPool } from "./connections.ts";
import { Observer, type ResourceFacts } from "./index.ts";

const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");
const target = { namespace: "shop", topic: "orders", consumerGroup: "billing" };

const problemOf = ({ problems }: ResourceFacts): string =>
  problems.map(({ reason, found }) => `${reason}: ${found}`).join("\n");

describe("credentials on real servers", () => {
  let kafka: KafkaCluster;
  let zookeeper: ZooKeeperServer;

  before(async () => {
    [kafka, zookeeper] = await Promise.all([startKafka({ security: true }), startZooKeeper()]);
    await kafka.createTopic("orders", { partitions: 3 });
    await kafka.produce("orders", [{ value: "one" }, { value: "two" }]);
  });
  after(async () => {
    await Promise.all([kafka.stop(), zookeeper.stop()]);
  });

  /** What is told of a resource with these passwords. */
  async function factsWith(
    context: TestContext,
    passwords: { readonly kafka?: string; readonly zookeeper?: string },
    logger: Logger = quiet,
  ): Promise<ResourceFacts> {
    const { bootstrapServers, caPem, username, password } = kafka.secure!;
    const login = { name: "login" };
    const resource = readResource({
      apiVersion: "kafkaproxy.dev/v1alpha1",
      kind: "KafkaProxy",
      metadata: { name: "orders", namespace: "shop" },
      spec: {
        topic: "orders",
        consumerGroup: "billing",
        kafka: {
          bootstrapServers,
          tls: { caSecret: login },
          sasl: {
            mechanism: "scram-sha-512",
            username,
            passwordSecret: { ...login, key: "kafka" },
          },
        },
        zookeeper: {
          servers: [zookeeper.connectString],
          auth: { username: "proxies", passwordSecret: { ...login, key: "zookeeper" } },
        },
      },
    });
    const data = {
      "ca.crt": base64(caPem),
      // As an editor leaves it.
      kafka: base64(`${passwords.kafka ?? password}\n`),
      zookeeper: base64(passwords.zookeeper ?? "right"),
    };
    const client: KubeClient = {
      request: async <T>() => ({ metadata: { uid: "1", resourceVersion: "1" }, data }) as T,
      async *lines() {
        yield* [];
        throw new KubeError("invalid", "nothing is watched here");
      },
    };
    const observer = new Observer(resource, {
      client,
      pool: new ConnectionPool(logger),
      pods: () => [],
      onChange: () => undefined,
      logger: quiet,
      random: Math.random,
    });
    context.after(() => observer.close());
    await until("looked", () => observer.facts !== undefined);
    return observer.facts!;
  }

  it("right ones over TLS, SASL and a digest: partitions and lag, and nothing is wrong", async (context) => {
    const said: [string, unknown][] = [];
    const info: Logger["info"] = (fields, message) => said.push([message, fields]);
    const facts = await factsWith(context, {}, { ...quiet, info });
    const [[message, fields] = []] = said;
    assert.equal(message, "connected to ZooKeeper");
    assert.deepEqual((fields as { resources?: unknown }).resources, ["shop/orders"]);
    assert.equal(problemOf(facts), "");
    assert.equal(facts.partitions, 3);
    assert.deepEqual(facts.lag, { messages: 2 });
  });

  it("a wrong Kafka password is KafkaLoginRefused, and is not shown", async (context) => {
    const facts = await factsWith(context, { kafka: "not-the-password" });
    assert.match(problemOf(facts), /^KafkaLoginRefused: Kafka at 127\.0\.0\.1:\d+ refuses: /u);
    assert.doesNotMatch(problemOf(facts), /not-the-password/u);
    assert.equal(facts.partitions, undefined);
  });

  it("a wrong ZooKeeper digest is ZooKeeperLoginRefused where nodes of the group are, or of its namespace", async (context) => {
    const session = new ZooKeeperSession({
      servers: zookeeper.connectString,
      auth: { scheme: "digest", credentials: "proxies:right" },
    });
    context.after(() => session.close());
    session.start();
    for (const path of [groupPath({ ...target, topic: "another" }), groupPath(target)]) {
      await session.create(path, undefined, { parents: true });
      const facts = await factsWith(context, { zookeeper: "not-the-digest" });
      assert.match(
        problemOf(facts),
        /^ZooKeeperLoginRefused: ZooKeeper at 127\.0\.0\.1:\d+ refuses: get \/kafkaproxy\/shop.*NOAUTH/u,
      );
      assert.doesNotMatch(problemOf(facts), /not-the-digest/u);
      assert.equal(facts.partitions, 3, "Kafka is looked at all the same");
    }
    assert.equal(problemOf(await factsWith(context, {})), "");
  });
});
