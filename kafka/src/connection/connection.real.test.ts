import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer, connect as connectTcp } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import { startKafka } from "../../../test/servers/index.ts";
import type { KafkaCluster } from "../../../test/servers/index.ts";
import { KafkaError } from "../errors.ts";
import { KafkaConnection } from "./connection.ts";
import { messages } from "./kafkajs.ts";
import { BrokerLink } from "./link.ts";
import { resolveSettings } from "./settings.ts";
import type { Logger, SaslSettings } from "./settings.ts";
import { until } from "./test-until.ts";

let kafka: KafkaCluster;

before(async () => {
  kafka = await startKafka({ security: true });
});

after(async () => {
  await kafka.stop();
});

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof KafkaError && error.code === code;
}

const metadata = (): ReturnType<typeof messages.metadata> =>
  messages.metadata({ topics: [], allowAutoTopicCreation: false });

test("a topic's partitions, and what it takes at most", async () => {
  await kafka.createTopic("known", { partitions: 3, config: { "max.message.bytes": "12345" } });
  const connection = new KafkaConnection({ bootstrapServers: kafka.bootstrapServers });
  await connection.connect();
  const nodeId = kafka.brokers[0]!.nodeId;
  assert.deepEqual(
    await connection.partitions("known"),
    [0, 1, 2].map((partition) => ({
      partition,
      leader: nodeId,
      replicas: [nodeId],
      isr: [nodeId],
    })),
  );
  assert.equal(await connection.maxMessageBytes("known"), 12_345);
  assert.equal(await connection.maxMessageBytes("missing"), undefined);
  await assert.rejects(connection.partitions("missing"), hasCode("topic-not-found"));
  await connection.close();
  await assert.rejects(connection.partitions("known"), hasCode("closed"));
});

test("a dead bootstrap server is passed over; with none alive it keeps trying", async () => {
  const dead = "127.0.0.1:1";
  const connection = new KafkaConnection({ bootstrapServers: [dead, ...kafka.bootstrapServers] });
  await connection.connect();
  await connection.close();

  const alone = new KafkaConnection({ bootstrapServers: [dead] });
  await assert.rejects(alone.connect({ timeoutMs: 300 }), hasCode("unreachable"));
  const abort = new AbortController();
  const trying = alone.connect({ signal: abort.signal });
  abort.abort();
  await assert.rejects(trying, hasCode("unreachable"));
  await alone.close();
});

for (const mechanism of ["plain", "scram-sha-256", "scram-sha-512"] as const) {
  test(`SASL ${mechanism} over TLS`, async () => {
    const { bootstrapServers, caPem, username, password } = kafka.secure!;
    const lines: string[] = [];
    const keep = (fields: object, message: string): void => {
      lines.push(message, inspect(fields, { depth: 10 }));
    };
    const logger: Logger = { debug: keep, info: keep, warn: keep, error: keep };
    const secured = (sasl: SaslSettings): KafkaConnection =>
      new KafkaConnection({
        bootstrapServers,
        tls: { ca: caPem, serverName: "localhost" },
        sasl,
        logger,
      });
    const connection = secured({ mechanism, username, password });
    await connection.connect({ timeoutMs: 30_000 });
    await connection.close();

    const wrong = secured({ mechanism, username, password: "not-the-s3cret" });
    await assert.rejects(wrong.connect({ timeoutMs: 30_000 }), (error: unknown) => {
      assert.ok(error instanceof KafkaError);
      assert.equal(error.code, "authentication");
      assert.equal(error.retriable, false);
      assert.match(error.message, new RegExp(`refused SASL ${mechanism} for user "${username}"`));
      lines.push(inspect(error, { depth: 10 }));
      return true;
    });
    await wrong.close();
    assert.ok(!lines.join("\n").includes("s3cret"), "a password was written");
    assert.ok(!lines.join("\n").includes(password), "a password was written");
  });
}

test("a certificate that is not trusted is said", async () => {
  const connection = new KafkaConnection({
    bootstrapServers: kafka.secure!.bootstrapServers,
    tls: {},
  });
  await assert.rejects(connection.connect({ timeoutMs: 500 }), (error: unknown) => {
    assert.ok(error instanceof KafkaError);
    assert.equal(error.code, "unreachable");
    assert.match(error.message, /certificate/i);
    return true;
  });
  await connection.close();
});

/** A TCP forwarder that can swallow everything without closing anything. */
async function forwarder(target: string): Promise<{
  port: number;
  sockets: Set<Socket>;
  swallow(): void;
  pass(): void;
  close(): void;
}> {
  const [host = "", port = ""] = target.split(":");
  const sockets = new Set<Socket>();
  let swallowing = false;
  const server = createServer((near) => {
    const far = connectTcp({ host, port: Number(port) });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk) => {
        if (!swallowing) to.write(chunk);
      });
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on("error", () => from.destroy());
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    swallow: () => {
      swallowing = true;
    },
    pass: () => {
      swallowing = false;
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

test("a black hole: the request fails at its time-out, and its socket is gone", async () => {
  const way = await forwarder(kafka.bootstrapServers[0]!);
  const address = { host: "127.0.0.1", port: way.port };
  const settings = resolveSettings({
    bootstrapServers: [`127.0.0.1:${way.port}`],
    connectTimeoutMs: 1_000,
  });
  const link = new BrokerLink(address, settings);
  assert.equal((await link.send(metadata(), 5_000)).brokers.length, 1);
  way.swallow();
  const both = [link.send(metadata(), 300), link.send(metadata(), 60_000)];
  await assert.rejects(both[0]!, hasCode("timeout"));
  await assert.rejects(both[1]!, hasCode("timeout"));
  assert.equal(link.usable, false);
  await until("the socket is closed", () => way.sockets.size === 0);
  await assert.rejects(
    new BrokerLink(address, settings).send(metadata(), 60_000),
    hasCode("timeout"),
  );
  way.pass();
  const again = new BrokerLink(address, settings);
  assert.equal((await again.send(metadata(), 5_000)).brokers.length, 1);
  again.close(new KafkaError("closed", "done"));
  way.close();
});

test("a connection that is cut fails what waits on it, at once", async () => {
  const way = await forwarder(kafka.bootstrapServers[0]!);
  const settings = resolveSettings({ bootstrapServers: ["127.0.0.1:1"] });
  const link = new BrokerLink({ host: "127.0.0.1", port: way.port }, settings);
  await link.send(metadata(), 5_000);
  way.swallow();
  const waiting = link.send(metadata(), 60_000);
  setImmediate(() => way.close());
  await assert.rejects(waiting, hasCode("unreachable"));
  assert.equal(link.usable, false);
});

test("idle costs no timer, and after close nothing keeps the process", async () => {
  const script = `
    import { KafkaConnection } from ${JSON.stringify(new URL("connection.ts", import.meta.url).href)};
    process.on("warning", (warning) => { console.error(warning); process.exit(3); });
    const connection = new KafkaConnection({ bootstrapServers: ${JSON.stringify(kafka.bootstrapServers)} });
    await connection.connect();
    await connection.partitions("known");
    await new Promise((resolve) => setImmediate(resolve));
    const timers = process.getActiveResourcesInfo().filter((kind) => kind === "Timeout");
    if (timers.length > 0) { console.error("timers while idle", timers); process.exit(2); }
    await connection.close();
    // The process ends by itself only when no socket and no timer is left.
  `;
  const child = spawn(
    process.execPath,
    ["--conditions=kafkaproxy-source", "--input-type=module", "--eval", script],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let words = "";
  child.stderr.on("data", (chunk: Buffer) => {
    words += String(chunk);
  });
  const code = await new Promise((resolve) => {
    child.once("close", resolve);
  });
  assert.equal(code, 0, words);
});
