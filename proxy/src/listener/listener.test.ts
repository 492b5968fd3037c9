import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import type { ErrorCode, Hello } from "@kafkaproxy/wire";
import { hello, type RawClient } from "./testing/raw-client.ts";
import { pull, Stage, type StageOptions } from "./testing/stage.ts";

const start = async (options?: StageOptions): Promise<Stage> => await new Stage(options).start();

async function assertRefused(client: RawClient, code: ErrorCode, words?: RegExp): Promise<void> {
  const error = await client.next("error");
  assert.equal(error.code, code);
  if (words !== undefined) assert.match(error.message, words);
  await client.ended();
}

test("hello, welcome, owned, pull, deliver, ack, settled", async () => {
  await using stage = await start();
  const client = stage.client();
  const welcome = await client.open();
  assert.deepEqual(
    { ...welcome, sessionId: "" },
    {
      type: "welcome",
      protocol: 1,
      features: [],
      sessionId: "",
      resumed: false,
      instance: "proxy-0",
      limits: {
        ackTimeoutMs: 3_000,
        maxProcessingTimeMs: 1_800_000,
        maxPullMessages: 10,
        maxPullBytes: 16 * 1024 * 1024,
        maxFrameBytes: 16 * 1024 * 1024 + 64 * 1024,
        heartbeatIntervalMs: 60_000,
      },
    },
  );
  assert.match(welcome.sessionId, /^[\w-]{32}$/);
  assert.deepEqual((await client.next("owned")).partitions, [0]);
  client.send(pull(7));
  stage.admit(3, 5_000);
  const { requestId, records } = await client.next("deliver");
  assert.equal(requestId, 7);
  assert.deepEqual(
    records.map(({ offset, attempt, value }) => [offset, attempt, value?.byteLength]),
    [
      [0, 1, 5_000],
      [1, 1, 5_000],
      [2, 1, 5_000],
    ],
  );
  client.send({ type: "ack", ranges: [{ partition: 0, first: 0, last: 2 }] });
  await client.until(() => stage.dispatch.inFlight === 0, "the ack");
  const [commit] = stage.dispatch.takeCommits(stage.now);
  assert.equal(commit?.offset, 3);
  stage.dispatch.commitConfirmed(stage.now, commit);
  assert.deepEqual((await client.next("settled")).ranges, [{ partition: 0, first: 0, last: 2 }]);
});

test("whom it refuses, with a code and words", async () => {
  await using stage = await start({ listener: { maxConnections: 1 } });
  const cases: [Partial<Hello>, ErrorCode, RegExp][] = [
    [{ minProtocol: 2, maxProtocol: 3 }, "protocol-version", /versions 2 to 3, this proxy 1 to 1/],
    [{ topic: "invoices" }, "wrong-target", /topic "invoices", this proxy serves "orders"/],
    [{ namespace: "shop" }, "wrong-target", /namespace "shop"/],
    [{ consumerGroup: "x" }, "wrong-target", /consumerGroup "x"/],
  ];
  for (const [changes, code, words] of cases) {
    const client = stage.client();
    client.send({ ...hello, ...changes });
    await assertRefused(client, code, words);
  }
  const first = stage.client();
  const { sessionId } = await first.open();
  const second = stage.client();
  second.send(hello);
  await assertRefused(second, "too-many-connections");
  // Who takes a session over needs no second place.
  const again = stage.client();
  assert.equal((await again.open({ sessionId })).resumed, true);
  assert.equal(stage.listener.counters.failed["wrong-target"], 3);
});

test("a frame that is not the client's to send, or comes before hello, ends its connection alone", async () => {
  await using stage = await start();
  const good = stage.client();
  await good.open();
  const early = stage.client();
  early.send({ type: "ping", nonce: 1 });
  await assertRefused(early, "protocol-error", /hello is expected/);
  const twice = stage.client();
  await twice.open();
  twice.send(hello);
  await assertRefused(twice, "protocol-error");
  const wrong = stage.client();
  await wrong.open();
  wrong.send({ type: "settled", ranges: [] });
  await assertRefused(wrong, "protocol-error", /may not send settled/);
  const mode = stage.client();
  await mode.open({ mode: "push" });
  mode.send(pull(1));
  await assertRefused(mode, "protocol-error", /mode push/);
  const broken = stage.client();
  await broken.open();
  broken.socket.write(Buffer.from([0, 0, 0, 2, 0x84, 1]));
  await assertRefused(broken, "protocol-error");
  const huge = stage.client();
  await huge.open();
  huge.socket.write(Buffer.from([0x7f, 0, 0, 2, 0x84, 1]));
  await assertRefused(huge, "frame-too-large");
  good.send({ type: "ping", nonce: 42 });
  assert.equal((await good.next("pong")).nonce, 42);
});

test("an HTTP request, a TLS hello and a Kafka client are told what this port is, in one log line each", async () => {
  await using stage = await start();
  const http = stage.client();
  http.socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await http.ended();
  assert.match(
    Buffer.concat(http.text).toString(),
    /^HTTP\/1\.1 400 Bad Request\r\n[^]*\r\n\r\nAn HTTP request came .*admin port/,
  );
  const tls = stage.client();
  tls.socket.write(Buffer.from("16030100f1010000ed0303", "hex"));
  await assertRefused(tls, "not-a-client", /Set listener\.tls/);
  const kafka = stage.client();
  kafka.socket.write(Buffer.from("0000001f0012000300000001", "hex"));
  await assertRefused(kafka, "not-a-client", /Kafka client/);
  const warnings = stage.log.filter(({ level }) => level === "warn");
  assert.equal(warnings.length, 3);
});

test("a session goes on over a new connection: dropped, or still hanging", async () => {
  await using stage = await start();
  stage.admit(2, 10);
  const first = stage.client();
  const { sessionId } = await first.open();
  first.send(pull(1));
  await first.next("deliver");
  first.socket.destroy();
  await first.ended();
  const second = stage.client();
  assert.equal((await second.open({ sessionId })).resumed, true);
  assert.equal(stage.dispatch.inFlight, 2);
  const third = stage.client();
  assert.equal((await third.open({ sessionId })).resumed, true);
  await assertRefused(second, "session-taken-over");
  third.send({ type: "ack", ranges: [{ partition: 0, first: 0, last: 1 }] });
  await third.until(() => stage.dispatch.inFlight === 0, "the ack");
  const stranger = stage.client();
  const welcome = await stranger.open({ sessionId: "no such session" });
  assert.equal(welcome.resumed, false);
  assert.notEqual(welcome.sessionId, "no such session");
});

test("a client's goaway ends its leases with its connection: what it held is delivered again, and counted", async () => {
  await using stage = await start();
  stage.admit(1, 10);
  const client = stage.client();
  await client.open();
  client.send(pull(1));
  await client.next("deliver");
  client.send({ type: "goaway", graceMs: 0, reason: "done" });
  client.socket.end();
  await client.until(() => stage.dispatch.ready === 1, "the record back");
  const other = stage.client();
  await other.open();
  other.send(pull(1));
  assert.equal((await other.next("deliver")).records[0]?.attempt, 2);
});

test("silence is asked about twice, then ends the connection", async () => {
  await using stage = await start({ listener: { heartbeatInterval: "60s" } });
  // The listener sweeps every second; the clock is moved instead of waited for.
  const quiet = stage.client();
  await quiet.open();
  const alive = stage.client();
  await alive.open();
  const answer = async (): Promise<void> => {
    const { nonce } = await alive.next("ping");
    alive.send({ type: "pong", nonce }, { type: "ping", nonce });
    await alive.next("pong");
  };
  for (const round of [1, 2]) {
    stage.skewMs += 60_000;
    await quiet.next("ping");
    await answer();
    assert.equal(quiet.closed, false, `round ${round}`);
  }
  stage.skewMs += 60_000;
  await assertRefused(quiet, "heartbeat-lost");
  assert.equal(alive.closed, false);
});

test("a connection without a hello is closed", async () => {
  await using stage = await start();
  const client = stage.client();
  await once(client.socket, "connect");
  await client.until(() => stage.listener.connections === 1, "the connection");
  stage.skewMs += 11_000;
  await assertRefused(client, "protocol-error", /No hello/);
});

test("goaway: all are told, who comes is sent away, close ends all", async () => {
  const stage = await start();
  const client = stage.client();
  await client.open();
  stage.listener.goaway(5_000, "the pod stops");
  assert.deepEqual(await client.next("goaway"), {
    type: "goaway",
    graceMs: 5_000,
    reason: "the pod stops",
  });
  const late = stage.client();
  late.send(hello);
  await assertRefused(late, "draining");
  await Promise.all([stage.listener.close(), stage.listener.close()]);
  await client.ended();
  assert.equal(stage.listener.connections, 0);
  assert.equal(stage.listener.outboundBytes, 0);
  assert.equal(stage.listener.state, "closed");
});

test("tokens: without, wrong, right, and changed in the file", async () => {
  const tokenFile = join(mkdtempSync(join(tmpdir(), "kpx-")), "tokens");
  writeFileSync(tokenFile, "# workers\nfirst-token\n");
  await using stage = await start({ listener: { tokenFile } });
  for (const token of ["", "first-toke", "# workers"]) {
    const client = stage.client();
    client.send({ ...hello, token });
    await assertRefused(client, "unauthorized");
  }
  await stage.client().open({ token: "first-token" });
  writeFileSync(tokenFile, "second-token\n");
  const deadline = Date.now() + 30_000;
  for (;;) {
    const client = stage.client();
    client.send({ ...hello, token: "second-token" });
    await client.until(() => client.frames.length > 0, "an answer");
    if (client.frames[0]?.type === "welcome") break;
    assert.ok(Date.now() < deadline, "the new token was not taken");
  }
  const old = stage.client();
  old.send({ ...hello, token: "first-token" });
  await assertRefused(old, "unauthorized");
});

test("an address that others reach without TLS and token is warned about once", async () => {
  await using stage = await start({ listener: { host: "0.0.0.0" } });
  const warnings = stage.log.filter(({ level }) => level === "warn");
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!.message, /without listener\.tls and listener\.tokenFile/);
});

test("TLS: a certificate that is replaced is used for new connections, a broken one is not", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kpx-"));
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  makeCertificate("first.example", certFile, keyFile);
  await using stage = await start({ listener: { tls: { certFile, keyFile } } });
  const name = async (): Promise<unknown> => {
    const client = stage.client({ rejectUnauthorized: false });
    await client.open();
    return (client.socket as TLSSocket).getPeerCertificate().subject.CN;
  };
  assert.equal(await name(), "first.example");
  writeFileSync(keyFile, "no key");
  const deadline = Date.now() + 30_000;
  const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await holds())) {
      assert.ok(Date.now() < deadline);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  await until(() => stage.log.some(({ message }) => message.includes("can't be used")));
  assert.equal(await name(), "first.example");
  makeCertificate("second.example", certFile, keyFile);
  await until(async () => (await name()) === "second.example");
  const plain = stage.client();
  plain.send(hello);
  await plain.ended();
  assert.ok(stage.log.some(({ level, message }) => level === "warn" && /no TLS/.test(message)));
});

function makeCertificate(name: string, certFile: string, keyFile: string): void {
  const kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const files = ["-subj", `/CN=${name}`, "-keyout", keyFile, "-out", certFile];
  execFileSync("openssl", ["req", ...kind, ...files], { stdio: "ignore" });
}

test("a port that is taken is an error of start", async () => {
  await using stage = await start();
  const second = new Stage({ listener: { port: stage.port } });
  await assert.rejects(second.start(), { code: "EADDRINUSE" });
  await second.listener.close();
});
