import assert from "node:assert/strict";
import { test } from "node:test";
import { type ConfigError, parseConfig } from "./index.ts";

const machine = { hostname: "host", address: "10.1.2.3" };
const parse = (text: string) => parseConfig({ text, format: "properties" }, {}, machine);

const original = `
# kafka consumer
server.kafka.server.list=kafka-1:9092,kafka-2:9092
server.group.id = billing
server.topic:orders
! zookeeper
server.zookeeper.server.list=zk-1:2181,\\
    zk-2:2181
server.queue.size=5000
server.port=7000
server.commit.offset.interval=2500
server.commit.offset.batch.size=100
`;

test("the original's file, with its prefix and without", () => {
  for (const text of [original, original.replaceAll(/^server\./gmu, "")]) {
    const config = parse(text);
    assert.deepEqual(config.kafka.bootstrapServers, ["kafka-1:9092", "kafka-2:9092"]);
    assert.equal(config.consumerGroup, "billing");
    assert.equal(config.topic, "orders");
    assert.equal(config.zookeeper.servers, "zk-1:2181,zk-2:2181");
    assert.equal(config.queue.size, 5_000);
    assert.equal(config.listener.port, 7_000);
    assert.deepEqual(config.commit, { intervalMs: 2_500, batchSize: 100 });
  }
});

test("it listens on every address, as the original did, and announces one that can be reached", () => {
  const { listener } = parse(original);
  assert.deepEqual([listener.host, listener.advertisedHost], ["0.0.0.0", "10.1.2.3"]);
});

test("unknown names, names twice and wrong values are told by the file's own names", () => {
  assert.throws(
    () => parse(`${original}\nserver.quee.size=1\nport=1\nsetting=2`),
    (error: ConfigError) => {
      assert.deepEqual(
        error.problems.map(({ key, line }) => [key, line]),
        [
          ["server.quee.size", 14],
          ["port", 15],
          ["setting", 16],
        ],
      );
      assert.match(error.message, /server\.queue\.size is the nearest/);
      assert.match(error.message, /port: found it after server\.port in line 10/);
      return true;
    },
  );
  assert.throws(
    () => parse(original.replace("size=5000", "size=many")),
    /line 9: server\.queue\.size: found "many"; allowed: a whole number/,
  );
});

test("names and values that are wrong, and what is missing, come together", () => {
  assert.throws(
    () => parse("server.quee.size=1\nserver.port=99999\nserver.queue.size=x\nserver.topic=orders"),
    (error: ConfigError) => {
      assert.deepEqual(error.problems.map(({ key }) => key).toSorted(), [
        "consumerGroup",
        "kafka.bootstrapServers",
        "server.port",
        "server.quee.size",
        "server.queue.size",
        "zookeeper.servers",
      ]);
      return true;
    },
  );
});

test("escapes of the format", () => {
  const config = parse(original.replace("= billing", "= bill\\u0069ng\\:a"));
  assert.equal(config.consumerGroup, "billing:a");
});
