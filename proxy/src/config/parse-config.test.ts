import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { z } from "zod";
import { ConfigError, parseConfig, parseSettings, readSecret, settingsSchema } from "./index.ts";

const machine = { hostname: "orders-3", address: "10.1.2.3" };

const smallest = `
topic: orders
consumerGroup: billing
kafka: { bootstrapServers: [localhost:9092] }
zookeeper: { servers: "localhost:2181" }
`;

function yaml(text: string, env: Record<string, string> = {}, file?: string) {
  const source = { text, format: "yaml" as const, ...(file === undefined ? {} : { file }) };
  return parseConfig(source, env, machine);
}

function problems(run: () => unknown): ConfigError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof ConfigError, inspect(error));
    return error;
  }
  return assert.fail("no error");
}

const withKafka = (keys: string) => smallest.replace("[localhost:9092]", `a:1, ${keys}`);

test("the smallest file has the documented defaults, in ms and bytes", () => {
  const config = yaml(smallest);
  assert.deepEqual(config, {
    namespace: "default",
    topic: "orders",
    consumerGroup: "billing",
    instance: "orders-3",
    ordinal: 3,
    replicas: 1,
    configGeneration: 0,
    paused: false,
    kafka: {
      bootstrapServers: ["localhost:9092"],
      tls: undefined,
      sasl: undefined,
      offsetReset: "earliest",
      sessionTimeoutMs: 10_000,
      heartbeatIntervalMs: 500,
      rebalanceTimeoutMs: 10_000,
      requestTimeoutMs: 4_000,
      fetchWaitMs: 500,
      fetchMaxBytes: 16 * 1024 * 1024,
      metadataRefreshMs: 30_000,
    },
    zookeeper: {
      servers: "localhost:2181",
      root: "/kafkaproxy",
      sessionTimeoutMs: 10_000,
      auth: undefined,
    },
    place: { pod: "", zone: "" },
    queue: { size: 20_000, maxBytes: 128 * 1024 * 1024 },
    delivery: {
      ackTimeoutMs: 3_000,
      maxDeliveries: 5,
      maxProcessingTimeMs: 1_800_000,
      backoff: { initialMs: 1_000, maxMs: 60_000 },
      maxNackDelayMs: 900_000,
    },
    pull: { maxMessages: 10, maxBytes: 16 * 1024 * 1024, maxWaitMs: 60_000 },
    push: { maxCredit: 10_000 },
    commit: { intervalMs: 1_000, batchSize: 1_000 },
    deadLetter: { topic: "orders-dlq", index: { maxEntries: 100_000 } },
    listener: {
      host: "127.0.0.1",
      port: 10_666,
      advertisedHost: "127.0.0.1",
      advertisedPort: undefined,
      tls: undefined,
      tokenFile: undefined,
      maxConnections: 10_000,
      maxOutboundBytes: 64 * 1024 * 1024,
      heartbeatIntervalMs: 60_000,
      maxFrameBytes: 16 * 1024 * 1024 + 64 * 1024,
    },
    admin: { host: "127.0.0.1", port: 10_667, tokenFile: undefined },
    drainTimeoutMs: 30_000,
    log: { level: "info" },
  });
});

test("it is frozen through and through", () => {
  const config = yaml(smallest);
  assert.ok(Object.isFrozen(config.delivery.backoff));
  assert.throws(() => Object.assign(config.kafka, { offsetReset: "latest" }), TypeError);
});

test("every error at once: key, found, allowed, line", () => {
  const error = problems(() =>
    yaml(`
topic: a/b
kafka:
  bootstrapServers: [localhost]
  sessionTimeot: 5s
zookeeper: none
delivery:
  ackTimeout: 3 parsecs
ackTimeout: 3s
queue: { size: 0 }
listener: { port: 70000 }
`),
  );
  assert.deepEqual(
    error.problems.map(({ key, found, line }) => [key, found, line]),
    [
      ["topic", '"a/b"', 2],
      ["consumerGroup", "nothing", undefined],
      ["kafka.bootstrapServers", '["localhost"]', 4],
      ["zookeeper", "a string", 6],
      ["queue.size", "0", 10],
      ["delivery.ackTimeout", '"3 parsecs"', 8],
      ["listener.port", "70000", 11],
      ["kafka.sessionTimeot", "an unknown key", 5],
      ["ackTimeout", "an unknown key", 9],
    ],
  );
  assert.match(
    error.message,
    /line 8: delivery\.ackTimeout: found "3 parsecs"; allowed: a duration/,
  );
  assert.match(
    error.message,
    /kafka\.sessionTimeot: .*allowed: kafka\.sessionTimeout, which is the/,
  );
  assert.match(error.message, /line 9: ackTimeout: .*allowed: delivery\.ackTimeout, which is/);
});

test("rules between keys are checked beside other errors", () => {
  const error = problems(() =>
    yaml(`${smallest}
namespace: ""
delivery: { backoff: { initial: 2m } }
listener: { maxFrameBytes: 1MiB }
deadLetter: { topic: orders }
`),
  );
  assert.deepEqual(
    error.problems.map(({ key }) => key),
    ["namespace", "delivery.backoff.initial", "listener.maxFrameBytes", "deadLetter.topic"],
  );
});

test("request time-out must stay below half of the session's; its default follows the session's", () => {
  assert.equal(yaml(withKafka("sessionTimeout: 6s")).kafka.requestTimeoutMs, 2_400);
  const error = problems(() => yaml(withKafka("requestTimeout: 6s")));
  assert.deepEqual(
    error.problems.map(({ key, found }) => [key, found]),
    [["kafka.requestTimeout", "6000"]],
  );
});

test("durations and sizes in all their spellings", () => {
  const config = yaml(`${smallest}
delivery: { ackTimeout: 1500, maxProcessingTime: 1h30m, maxNackDelay: "250" }
drainTimeout: 0.5s
queue: { maxBytes: 64Mi }
pull: { maxBytes: 1.5 MB }
`);
  assert.equal(config.delivery.ackTimeoutMs, 1_500);
  assert.equal(config.delivery.maxProcessingTimeMs, 5_400_000);
  assert.equal(config.delivery.maxNackDelayMs, 250);
  assert.equal(config.drainTimeoutMs, 500);
  assert.equal(config.queue.maxBytes, 64 * 1024 * 1024);
  assert.equal(config.pull.maxBytes, 1_500_000);
});

const withLogin = `
topic: orders
consumerGroup: billing
kafka:
  bootstrapServers: a:9092 , b:9092,a:9092
  tls: { caFile: ca.pem }
  sasl: { mechanism: scram-sha-512, username: u, password: hunter2 }
zookeeper: { servers: [z:2181, "[::1]:2181"], auth: { username: z, passwordFile: /run/zk } }
`;

test("lists, TLS by its keys, paths from the file's folder", () => {
  const config = yaml(withLogin, {}, "/etc/kafkaproxy/proxy.yaml");
  assert.deepEqual(config.kafka.bootstrapServers, ["a:9092", "b:9092"]);
  assert.equal(config.kafka.tls?.caFile, "/etc/kafkaproxy/ca.pem");
  assert.equal(config.zookeeper.servers, "z:2181,[::1]:2181");
  assert.deepEqual(config.zookeeper.auth?.password, { file: "/run/zk" });
});

test("secrets are never shown: printed, as JSON, in errors; the environment goes before the file", async () => {
  const config = yaml(withLogin);
  assert.equal(await readSecret(config.kafka.sasl!.password), "hunter2");
  const shown = `${JSON.stringify(config)} ${inspect(config, { depth: 9 })} ${JSON.stringify(config.kafka.sasl)}`;
  assert.ok(!shown.includes("hunter2"));

  const env = { KAFKAPROXY_KAFKA_SASL_PASSWORD: "env", KAFKAPROXY_ZOOKEEPER_PASSWORD: "zk" };
  const overridden = yaml(withLogin, env);
  assert.equal(await readSecret(overridden.kafka.sasl!.password), "env");
  assert.equal(await readSecret(overridden.zookeeper.auth!.password), "zk");

  const wrong = [
    withLogin.replace("password: hunter2", "password: [hunter2]"),
    withLogin.replace("password: hunter2", "pasword: hunter2"),
    withLogin.replace("sasl: {", "sasl: hunter2 # {"),
    withLogin.replace("password: hunter2", "password: 'hunter2"),
    withLogin.replace("password: hunter2", "password: hunter2, password: hunter2"),
    withLogin.replace("password: hunter2", "password: hunter2, passwordFile: x"),
  ];
  for (const text of wrong) {
    const error = problems(() => yaml(text));
    assert.ok(!inspect(error, { depth: 9 }).includes("hunter2"), inspect(error));
  }
});

test("a log-in without a password says where it could come from", () => {
  const error = problems(() => yaml(withLogin.replace(", password: hunter2", "")));
  assert.match(
    error.message,
    /kafka\.sasl\.password: found nothing; allowed: .*passwordFile or in KAFKAPROXY_KAFKA_SASL_PASSWORD/,
  );
});

test("where workers find it", () => {
  const listen = (keys: string) =>
    yaml(`${smallest}\nlistener: { ${keys} }`).listener.advertisedHost;
  assert.equal(listen("host: 0.0.0.0"), "10.1.2.3");
  assert.equal(listen("host: '::'"), "10.1.2.3");
  assert.equal(listen("host: proxy.example"), "proxy.example");
  assert.equal(listen("advertisedHost: '{instance}.orders.shop.svc'"), "orders-3.orders.shop.svc");
  assert.equal(
    parseConfig({ text: smallest, format: "yaml" }, {}).listener.advertisedHost,
    "127.0.0.1",
  );
});

test("where it runs comes from the environment", () => {
  assert.deepEqual(yaml(smallest).place, { pod: "", zone: "" });
  const env = { KAFKAPROXY_POD: "orders-3", KAFKAPROXY_ZONE: "eu-west-1a" };
  assert.deepEqual(yaml(smallest, env).place, { pod: "orders-3", zone: "eu-west-1a" });
});

test("sections without a value count as not given; what is no mapping is refused", () => {
  assert.equal(yaml(`${smallest}\nqueue:\ndelivery:\n  backoff:\n`).queue.size, 20_000);
  assert.deepEqual(
    problems(() => yaml("- a\n- b")).problems.map(({ key, found }) => [key, found]),
    [["", "a list"]],
  );
  assert.match(problems(() => yaml("a: [")).message, /line 1: found what is not YAML/);
  assert.match(problems(() => yaml("a: 1\na: 2")).message, /duplicate key/);
  assert.equal(problems(() => yaml("")).problems.length, 4);
  assert.match(problems(() => yaml(`${smallest}\n__proto__: { a: 1 }`)).message, /unknown key/);
});

test("settings that are values already, as a resource holds them", () => {
  const settings = {
    topic: "orders",
    consumerGroup: "billing",
    kafka: { bootstrapServers: "a:1" },
    zookeeper: { servers: "z:1" },
    instance: "x-7",
    ordinal: 2,
    replicas: 3,
  };
  const config = parseSettings(settings, {});
  assert.deepEqual([config.instance, config.ordinal, config.replicas], ["x-7", 2, 3]);
});

test("the schema is usable as JSON schema, with descriptions and defaults", () => {
  const schema = z.toJSONSchema(settingsSchema, { io: "input" });
  assert.deepEqual(schema.required, ["topic", "consumerGroup"]);
  const delivery = schema.properties?.["delivery"] as { properties: Record<string, object> };
  assert.partialDeepStrictEqual(delivery.properties["ackTimeout"], { default: "3s" });
});

const root = (path: string) =>
  yaml(smallest.replace('servers: "localhost:2181"', `servers: "a:1", root: "${path}"`));

test("the root in ZooKeeper is what paths can be made of", () => {
  assert.equal(root("/apps/kpx").zookeeper.root, "/apps/kpx");
  assert.equal(root("/").zookeeper.root, "/");
  for (const wrong of ["kpx", "/kpx/", "/a//b", "/a/../b", "/zookeeper/x"]) {
    assert.match(problems(() => root(wrong)).message, /zookeeper\.root: .*absolute/);
  }
});
