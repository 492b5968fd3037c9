// TLS and log-ins on both sides of a proxy, and what strangers and mistakes are told.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as dial } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ClientError } from "@kafkaproxy/client";
import { createWorld, Recorder, startProxy, until, type World } from "../harness/index.ts";

let world: World;
let folder: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "kafkaproxy-security-"));
  world = await createWorld({ security: true });
});
after(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

function secure() {
  const { secure: listener } = world.kafka;
  assert.ok(listener);
  return listener;
}

for (const mechanism of ["plain", "scram-sha-256", "scram-sha-512"]) {
  test(`Kafka over TLS with ${mechanism}`, async () => {
    const { bootstrapServers, caPem, username, password } = secure();
    const scene = await world.scene(`tls-${mechanism}`, { partitions: 2, replicas: 1 });
    try {
      const proxy = scene.proxy(0, {
        kafka: {
          bootstrapServers,
          tls: { caFile: write("ca.pem", caPem) },
          sasl: { mechanism, username, passwordFile: write("password", password) },
        },
      });
      await proxy.serving();
      await world.kafka.fill(scene.topic, { count: 200, valueBytes: 100 });
      const recorder = new Recorder();
      await scene.workers(2, recorder);
      await until("200 finished", () => recorder.finished === 200);
      await until("committed lag 0", async () => (await scene.lag()) === 0);
      assert.ok(!proxy.log.includes(password), "the password is in the log");
      assert.ok(!JSON.stringify(await proxy.status()).includes(password));
    } finally {
      await scene.close();
    }
  });
}

test("a wrong password for Kafka: not ready, said in words, without the password", async () => {
  const { bootstrapServers, caPem, username } = secure();
  const scene = await world.scene("wrong-password", { partitions: 1, replicas: 1 });
  try {
    const proxy = scene.proxy(0, {
      kafka: {
        bootstrapServers,
        tls: { caFile: write("ca.pem", caPem) },
        sasl: { mechanism: "scram-sha-512", username, passwordFile: write("bad", "not-the-one") },
      },
    });
    await until("said in the log", () => /authentication/iu.test(proxy.log));
    assert.ok(!proxy.log.includes("not-the-one"));
    assert.notEqual(proxy.state, "serving");
  } finally {
    await scene.close();
  }
});

test("workers over TLS with a token; without either they are refused with words", async () => {
  const [keyFile, certFile] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  execFileSync(
    "openssl",
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
      .split(" ")
      .concat("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
      .concat("-keyout", keyFile, "-out", certFile),
    { stdio: "ignore" },
  );
  const scene = await world.scene("token", { partitions: 1, replicas: 1 });
  try {
    const proxy = scene.proxy(0, {
      listener: {
        host: "127.0.0.1",
        port: 0,
        tls: { certFile, keyFile },
        tokenFile: write("token", "s3cret-token\n"),
      },
    });
    await proxy.serving();
    await world.kafka.fill(scene.topic, { count: 100, valueBytes: 100 });
    const recorder = new Recorder();
    const tls = { ca: readFileSync(certFile, "utf8") };
    await scene.workers(1, recorder, { connect: { tls, token: "s3cret-token" } });
    await until("100 finished", () => recorder.finished === 100);
    await assert.rejects(
      scene.client({ tls, token: "a-guess", connectTimeoutMs: 10_000 }),
      (error: unknown) => {
        assert.ok(error instanceof ClientError);
        assert.equal(error.code, "unauthorized");
        assert.doesNotMatch(error.message, /s3cret|a-guess/u);
        return true;
      },
    );
    assert.ok(!proxy.log.includes("s3cret-token") && !proxy.log.includes("a-guess"));
  } finally {
    await scene.close();
  }
});

test("a stranger who speaks HTTP gets an answer in HTTP, and the log says so", async () => {
  const scene = await world.scene("stranger", { partitions: 1, replicas: 1 });
  try {
    const proxy = scene.proxy(0);
    await proxy.serving();
    const [host = "", port = ""] = proxy.address.split(":");
    const socket = dial(Number(port), host);
    socket.write("GET / HTTP/1.1\r\nHost: proxy\r\n\r\n");
    let answer = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      answer += text;
    });
    await once(socket, "close");
    assert.match(answer, /^HTTP\/1\.1 400 /u);
    assert.match(proxy.log, /HTTP/u);
  } finally {
    await scene.close();
  }
});

test("a client of another group, and a worker for another topic, are refused", async () => {
  const scene = await world.scene("target", { partitions: 1, replicas: 1 });
  try {
    const proxy = scene.proxy(0);
    await proxy.serving();
    await assert.rejects(
      scene.client({ proxies: [proxy.address], consumerGroup: "another" }),
      (error: unknown) => error instanceof ClientError && error.code === "wrong-target",
    );
  } finally {
    await scene.close();
  }
});

test("a bad configuration: every problem at once, exit code 2, nothing started", async () => {
  const proxy = startProxy({
    topic: "bad topic",
    consumerGroup: "",
    kafka: { bootstrapServers: ["localhost:none"], offsetRest: "earliest" },
    zookeeper: { servers: "localhost:2181" },
    delivery: { ackTimeout: "3 bananas" },
  });
  assert.equal(await proxy.ended, 2);
  for (const key of ["topic", "consumerGroup", "kafka.bootstrapServers", "delivery.ackTimeout"]) {
    assert.ok(proxy.log.includes(key), `${key} is not named in:\n${proxy.log}`);
  }
  assert.match(proxy.log, /offsetReset/u, "the nearest known key is named");
});
