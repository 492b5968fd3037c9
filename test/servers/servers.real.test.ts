import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  JavaClient,
  javaSecurity,
  kcat,
  startKafka,
  startZooKeeper,
  type KafkaCluster,
} from "./index.ts";

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

describe("one broker", () => {
  let kafka: KafkaCluster;
  before(async () => {
    kafka = await startKafka({ security: true });
  });
  after(() => kafka.stop());

  it("keeps records byte for byte: order and repeats of headers, nulls, timestamps", async () => {
    await kafka.createTopic("exact", { partitions: 2 });
    const headers: [string, Buffer | null][] = [
      ["b", Buffer.from([0, 255])],
      ["a", null],
      ["b", Buffer.alloc(0)],
      ["constructor", Buffer.from("x")],
    ];
    const places = await kafka.produce("exact", [
      { partition: 1, key: null, value: null, headers, timestamp: 1_700_000_000_123 },
      { partition: 1, key: "k", value: Buffer.alloc(0), timestamp: 1_700_000_000_124 },
    ]);
    assert.deepEqual(places, [
      { partition: 1, offset: 0 },
      { partition: 1, offset: 1 },
    ]);
    assert.deepEqual(await kafka.consumeAll("exact"), [
      { partition: 1, offset: 0, timestamp: 1_700_000_000_123, key: null, value: null, headers },
      {
        partition: 1,
        offset: 1,
        timestamp: 1_700_000_000_124,
        key: Buffer.from("k"),
        value: Buffer.alloc(0),
        headers: [],
      },
    ]);
    assert.deepEqual(
      await kafka.endOffsets("exact"),
      new Map([
        [0, 0],
        [1, 2],
      ]),
    );
    assert.equal(await kafka.lag("nobody", "exact"), 2);
    assert.deepEqual(await kafka.committed("nobody", "exact"), new Map());
    await kafka.deleteRecords("exact", 1, 1);
    assert.deepEqual(
      await kafka.startOffsets("exact"),
      new Map([
        [0, 0],
        [1, 1],
      ]),
    );
    assert.equal(await kafka.lag("nobody", "exact"), 1);
    await kafka.addPartitions("exact", 3);
    assert.equal((await kafka.endOffsets("exact")).size, 3);
    await kafka.deleteTopic("exact");
    await assert.rejects(kafka.endOffsets("exact"), /UnknownTopicOrPartition/);
  });

  it("writes every codec, and transactions that end either way", async () => {
    await kafka.createTopic("codecs");
    for (const codec of ["gzip", "snappy", "lz4", "zstd"] as const) {
      await kafka.produce("codecs", [{ value: codec.repeat(100) }], { codec });
    }
    await kafka.produce("codecs", [{ value: "aborted" }], { transaction: "abort" });
    await kafka.produce("codecs", [{ value: "committed" }], {
      transaction: "commit",
      codec: "lz4",
    });
    const seen = await kafka.consumeAll("codecs");
    assert.deepEqual(
      seen.map(({ value }) => value!.toString().slice(0, 9)),
      ["gzipgzipg", "snappysna", "lz4lz4lz4", "zstdzstdz", "committed"],
    );
    const all = await kafka.consumeAll("codecs", { isolation: "read_uncommitted" });
    assert.equal(all.filter(({ value }) => value!.toString() === "aborted").length, 1);
  });

  it("takes 20,000 records at once, spread evenly, and fills a topic", async () => {
    await kafka.createTopic("many", { partitions: 4 });
    const records = Array.from({ length: 20_000 }, (_, i) => ({ value: String(i) }));
    await kafka.produce("many", records);
    assert.deepEqual([...(await kafka.endOffsets("many")).values()], [5_000, 5_000, 5_000, 5_000]);
    const seen = await kafka.consumeAll("many");
    assert.equal(new Set(seen.map(({ value }) => value!.toString())).size, 20_000);
    await kafka.createTopic("filled", { partitions: 2 });
    await kafka.fill("filled", { count: 1_000, valueBytes: 100 });
    const filled = await kafka.consumeAll("filled");
    assert.equal(new Set(filled.map(({ value }) => value!.toString().split(" ")[0])).size, 1_000);
    assert.ok(filled.every(({ value }) => value!.length === 100));
  });

  it("lets the user in over TLS with each mechanism, and nobody with a wrong password", async () => {
    const { bootstrapServers, ...secure } = kafka.secure!;
    for (const mechanism of ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const) {
      for (const password of [secure.password, "wrong"]) {
        const security = javaSecurity({ ...secure, mechanism, password });
        const client = new JavaClient(bootstrapServers, security);
        const asked = client.call("nodes", {});
        if (password === secure.password) assert.equal(await asked, 1);
        else await assert.rejects(asked, /SaslAuthenticationException/);
        await client.close();
      }
    }
  });

  it("is there for kcat too", async () => {
    await kafka.createTopic("by-kcat");
    const broker = ["-b", kafka.bootstrapServers[0]!, "-t", "by-kcat"];
    const sent = await kcat([...broker, "-P", "-K", ":", "-H", "a=1", "-H", "a=2"], "key:value\n");
    assert.equal(sent.exitCode, 0, sent.stderr);
    const [record] = await kafka.consumeAll("by-kcat");
    assert.deepEqual([record!.key, record!.value], [Buffer.from("key"), Buffer.from("value")]);
    assert.deepEqual(record!.headers, [
      ["a", Buffer.from("1")],
      ["a", Buffer.from("2")],
    ]);
  });

  it("keeps its data over a kill, and waits while it is frozen", async () => {
    await kafka.createTopic("kept");
    await kafka.produce("kept", [{ value: "before" }]);
    const [broker] = kafka.brokers;
    await broker!.kill();
    assert.equal(broker!.state, "stopped");
    await broker!.start();
    await kafka.produce("kept", [{ value: "after" }]);
    broker!.freeze();
    assert.equal(broker!.state, "frozen");
    let answered = false;
    const asked = kafka.consumeAll("kept").finally(() => (answered = true));
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(answered, false);
    broker!.thaw();
    assert.deepEqual(
      (await asked).map(({ value }) => value!.toString()),
      ["before", "after"],
    );
  });
});

describe("three brokers", () => {
  it("go on when one is killed, and take it back", async () => {
    const kafka = await startKafka({ brokers: 3 });
    try {
      await kafka.createTopic("spread", { partitions: 3 });
      await kafka.produce("spread", [{ value: "1" }, { value: "2" }, { value: "3" }]);
      await kafka.brokers[0]!.kill();
      await kafka.produce("spread", [{ value: "4" }, { value: "5" }, { value: "6" }]);
      await kafka.brokers[0]!.start();
      await kafka.brokers[1]!.stop();
      const seen = (await kafka.consumeAll("spread")).map(({ value }) => value!.toString());
      assert.deepEqual(seen.sort(), ["1", "2", "3", "4", "5", "6"]);
    } finally {
      await kafka.stop();
    }
  });
});

describe("ZooKeeper", () => {
  it("ends with the process that started it, also by SIGKILL", async () => {
    const program = `
      import { startZooKeeper } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
      console.log((await startZooKeeper()).connectString);
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program]);
    const address = await new Promise<string>((resolve, reject) => {
      child.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString().trim()));
      child.once("exit", () => reject(new Error("it did not start")));
    });
    const port = Number(address.split(":")[1]);
    assert.equal(await isOpen(port), true);
    child.kill("SIGKILL");
    const deadline = performance.now() + 30_000;
    while (await isOpen(port)) assert.ok(performance.now() < deadline, "it is still there");
  });

  it("comes back on its port after a kill", async () => {
    const server = await startZooKeeper();
    try {
      assert.match(server.connectString, /^127\.0\.0\.1:\d+$/);
      await server.kill();
      assert.equal(server.state, "stopped");
      await server.start();
      server.freeze();
      assert.equal(server.state, "frozen");
      server.thaw();
      assert.equal(server.state, "running");
    } finally {
      await server.stop();
    }
  });
});
