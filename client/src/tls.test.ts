import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "./index.ts";
import { FakeProxy } from "./testing/fake-proxy.ts";
import { FakeTopic } from "./testing/fake-topic.ts";
import { until } from "./testing/until.ts";

test("TLS: a known authority and name are needed", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kafkaproxy-client-"));
  const files = { key: join(folder, "key.pem"), cert: join(folder, "cert.pem") };
  execFileSync(
    "openssl",
    "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=proxy.test -addext subjectAltName=DNS:proxy.test"
      .split(" ")
      .concat("-keyout", files.key, "-out", files.cert),
    { stdio: "pipe" },
  );
  const tls = { key: readFileSync(files.key, "utf8"), cert: readFileSync(files.cert, "utf8") };
  rmSync(folder, { recursive: true });
  const topic = new FakeTopic();
  topic.produce(0, 50);
  const proxy = await new FakeProxy(topic, { tls, token: "secret" }).start();
  const options = {
    proxies: [proxy.address],
    topic: "orders",
    consumerGroup: "billing",
    token: "secret",
  };

  const unknownAuthority = connect({ ...options, tls: { serverName: "proxy.test" } });
  await assert.rejects(unknownAuthority, { code: "untrusted" });
  const otherName = connect({ ...options, tls: { ca: tls.cert, serverName: "other.test" } });
  await assert.rejects(otherName, { code: "untrusted" });
  assert.equal(proxy.received.length, 0);

  const client = await connect({ ...options, tls: { ca: tls.cert, serverName: "proxy.test" } });
  assert.equal(client.state, "connected");
  client.work(() => undefined);
  await until(() => topic.unsettled === 0, "all settled");
  await client.close();
  await proxy.stop();
});
