import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { LetterAnswer } from "../deadletter/index.ts";
import { type Admin, type AdminPort, createAdmin } from "./index.ts";

const nothing = (): void => undefined;
const logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };

const letter = {
  msgId: "orders:1:42",
  topic: "orders",
  partition: 1,
  offset: 42,
  consumerGroup: "billing",
  deliveries: 5,
  message: "no luck",
  disposition: "deliveries-exhausted",
  firstDeliveredAt: undefined,
  deadAt: "2026-01-01T00:00:00.000Z",
  worker: "w",
  pointer: false,
  timestamp: 0,
  key: null,
  value: Buffer.from("\u{feff}päyload"),
  headers: [{ name: "raw", value: Buffer.from([0xff, 0x00]) }],
};

interface Body {
  readonly reasons?: readonly string[];
  readonly partitions?: readonly unknown[];
  readonly routes?: Readonly<Record<string, string>>;
  readonly error?: { readonly code: string; readonly message: string };
}

class Scene {
  ready = true;
  answer: LetterAnswer = {
    kind: "found",
    letter,
    place: { topic: "orders-dlq", partition: 0, offset: 7 },
  };
  asked: string[] = [];
  base = "";
  readonly #admin: Admin;

  constructor(config: { host?: string; tokenFile?: string } = {}) {
    const port: AdminPort = {
      health: () => ({ ok: true, state: "serving" }),
      readiness: () => ({ ready: this.ready, reasons: this.ready ? [] : ["fenced"] }),
      status: () => ({ state: "serving", partitions: [] }),
      metrics: () => Promise.resolve("up 1\n"),
      deadLetter: (msgId) => {
        this.asked.push(msgId);
        if (msgId === "boom") throw new Error("secret detail");
        return Promise.resolve(this.answer);
      },
    };
    this.#admin = createAdmin({
      config: { host: "127.0.0.1", tokenFile: undefined, ...config, port: 0 },
      port,
      logger,
      fileCheckMs: 20,
    });
  }

  async start(): Promise<this> {
    const { port } = await this.#admin.start();
    this.base = `http://127.0.0.1:${port}`;
    return this;
  }

  async get(
    path: string,
    init?: RequestInit,
  ): Promise<{ response: Response; body: Body; text: string }> {
    const response = await fetch(this.base + path, init);
    const text = await response.text();
    return { response, body: text.startsWith("{") ? (JSON.parse(text) as Body) : {}, text };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.close();
    await this.#admin.close();
    assert.equal(this.#admin.state, "closed");
  }
}

test("probes, metrics and status", async () => {
  await using scene = await new Scene().start();
  const health = await scene.get("/healthz");
  assert.deepEqual([health.response.status, health.body], [200, { ok: true, state: "serving" }]);
  assert.equal((await scene.get("/readyz?verbose=1")).response.status, 200);
  scene.ready = false;
  const readyz = await scene.get("/readyz");
  assert.deepEqual([readyz.response.status, readyz.body.reasons], [503, ["fenced"]]);
  const metrics = await scene.get("/metrics");
  assert.equal(metrics.text, "up 1\n");
  assert.match(metrics.response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assert.deepEqual((await scene.get("/status")).body.partitions, []);
  const head = await scene.get("/status", { method: "HEAD" });
  assert.deepEqual([head.response.status, head.text], [200, ""]);
  assert.ok(Number(head.response.headers.get("content-length")) > 10);
});

test("an unknown route lists the routes; other methods and failures are JSON too", async () => {
  await using scene = await new Scene().start();
  for (const path of ["/", "/Status", "/dead-letters/", "/metrics/x"]) {
    const { response, body } = await scene.get(path);
    assert.equal(response.status, 404);
    assert.deepEqual(Object.keys(body.routes ?? {}), [
      "/healthz",
      "/readyz",
      "/metrics",
      "/status",
      "/dead-letters/{msgId}",
    ]);
  }
  const post = await scene.get("/status", { method: "POST", body: "x".repeat(100_000) });
  assert.equal(post.response.status, 405);
  assert.equal(post.response.headers.get("allow"), "GET, HEAD");
  const failed = await scene.get("/dead-letters/boom");
  assert.equal(failed.response.status, 500);
  assert.ok(!JSON.stringify(failed.body).includes("secret detail"));
});

test("a dead letter, its bytes as text or base64", async () => {
  await using scene = await new Scene().start();
  const { response, body } = await scene.get("/dead-letters/orders%3A1%3A42");
  assert.equal(response.status, 200);
  assert.deepEqual(scene.asked, ["orders:1:42"]);
  assert.partialDeepStrictEqual(body, {
    msgId: "orders:1:42",
    deliveries: 5,
    timestamp: "1970-01-01T00:00:00.000Z",
    key: null,
    value: { text: "\u{feff}päyload" },
    headers: [{ name: "raw", value: { base64: "/wA=" } }],
    deadLetter: { topic: "orders-dlq", partition: 0, offset: 7 },
  });
});

test("each other answer has its own status and says what it is", async () => {
  await using scene = await new Scene().start();
  const cases = [
    ["malformed", 400],
    ["unknown", 404],
    ["pruned", 410],
    ["foreign-topic", 421],
    ["foreign-group", 421],
    ["not-yet-indexed", 425],
    ["unavailable", 503],
  ] as const;
  for (const [kind, status] of cases) {
    scene.answer = { kind, message: `words about ${kind}` };
    const { response, body } = await scene.get("/dead-letters/orders:1:42");
    assert.equal(response.status, status);
    assert.deepEqual(body, { error: { code: kind, message: `words about ${kind}` } });
  }
});

test("payloads need a token: one of the file, and on another address than loopback there must be a file", async () => {
  const tokenFile = join(mkdtempSync(join(tmpdir(), "kpx-")), "tokens");
  writeFileSync(tokenFile, "right\n");
  {
    await using scene = await new Scene({ tokenFile }).start();
    const ask = async (authorization?: string): Promise<number> => {
      const headers = authorization === undefined ? {} : { authorization };
      return (await scene.get("/dead-letters/orders:1:42", { headers })).response.status;
    };
    assert.equal(await ask(), 401);
    assert.equal(await ask("Bearer wrong"), 401);
    assert.equal(await ask("Basic right"), 401);
    assert.deepEqual(scene.asked, []);
    assert.equal(await ask("Bearer right"), 200);
    assert.equal((await scene.get("/status")).response.status, 200);
  }
  await using open = await new Scene({ host: "0.0.0.0" }).start();
  const { response, body } = await open.get("/dead-letters/orders:1:42");
  assert.equal(response.status, 403);
  assert.match(body.error?.message ?? "", /set admin\.tokenFile/);
});

test("a page whose name was made to resolve to loopback sees no payload", async () => {
  await using scene = await new Scene().start();
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { host: "evil.example:10667" };
    request(`${scene.base}/dead-letters/orders:1:42`, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
  assert.equal(status, 403);
  assert.deepEqual(scene.asked, []);
});

test("headers without an end, and too many of them, are cut off", async () => {
  await using scene = await new Scene().start();
  const socket = connect(Number(new URL(scene.base).port), "127.0.0.1");
  let answer = "";
  socket.on("data", (chunk) => {
    answer += String(chunk);
  });
  // What is written after the cut may be reset.
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => {
    socket.on("close", () => {
      resolve();
    });
  });
  socket.write(`GET /status HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(64 * 1024)}`);
  await closed;
  assert.match(answer, /^HTTP\/1\.1 431 /);
});
