import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  ClientError,
  type ConnectOptions,
  connect,
  type Message,
  type ProxyClient,
} from "./index.ts";
import { FakeProxy, type FakeProxyOptions } from "./testing/fake-proxy.ts";
import { FakeTopic } from "./testing/fake-topic.ts";
import { until } from "./testing/until.ts";

const toEnd: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const end of toEnd.reverse()) await end();
});

async function proxyOf(topic: FakeTopic, options: FakeProxyOptions = {}): Promise<FakeProxy> {
  const proxy = await new FakeProxy(topic, options).start();
  toEnd.push(() => proxy.stop());
  return proxy;
}

async function clientOf(
  proxies: readonly FakeProxy[],
  options: ConnectOptions = {},
): Promise<ProxyClient> {
  const client = await connect({
    proxies: proxies.map(({ address }) => address),
    topic: "orders",
    consumerGroup: "billing",
    ...options,
  });
  toEnd.push(() => client.close({ timeoutMs: 0 }));
  return client;
}

/** A handler whose calls end one by one, by hand. */
function heldHandler() {
  const started: { message: Message; finish: (error?: Error) => void }[] = [];
  const handler = (message: Message) =>
    new Promise<void>((resolve, reject) => {
      started.push({
        message,
        finish: (error) => (error === undefined ? resolve() : reject(error)),
      });
    });
  return { started, handler };
}

const quick = { limits: { ackTimeoutMs: 1_000 } };

for (const mode of ["pull", "push"] as const) {
  test(`${mode}: every message is handled once and acked, at most concurrency at a time`, async () => {
    const topic = new FakeTopic();
    topic.produce(0, 500);
    const proxy = await proxyOf(topic);
    const client = await clientOf([proxy], { mode });
    let running = 0;
    let most = 0;
    const seen = new Set<number>();
    const worker = client.work(
      async (message) => {
        running++;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        seen.add(message.offset);
        running--;
      },
      { concurrency: 7 },
    );
    await until(() => topic.unsettled === 0, "all settled");
    assert.equal(seen.size, 500);
    assert.ok(most <= 7, `${most} at a time`);
    assert.equal(topic.mostDeliveries, 1);
    topic.produce(0, 3);
    proxy.offer();
    await until(() => topic.unsettled === 0, "what came later, too");
    await worker.drain();
    assert.equal(worker.stats.acked, 503);
    assert.equal(worker.inFlight, 0);
  });

  test(`${mode}: the busy one of four proxies fills all slots, and no more is ever held`, async () => {
    const topic = new FakeTopic();
    const proxies = await Promise.all(
      [0, 1, 2, 3].map((index) =>
        proxyOf(topic, { instance: `p${index}`, partitions: [index], ...quick }),
      ),
    );
    const client = await clientOf(proxies, { mode });
    const { started, handler } = heldHandler();
    const worker = client.work(handler, { concurrency: 8, prefetch: 2 });
    const most = () => proxies.reduce((sum, proxy) => sum + proxy.held(), 0);
    topic.produce(2, 100);
    proxies[2]!.offer();
    await until(() => started.length === 8, "8 handlers at work");
    await until(() => proxies[2]!.frames("extend").length > 3, "renewals");
    assert.ok(most() <= 10, `${most()} are held`);
    assert.equal(started.length, 8);
    // Then another one gets busy, and the first is done.
    topic.produce(1, 100);
    proxies[1]!.offer();
    for (let finished = 0; finished < 200; finished++) {
      await until(() => started.length > finished, `handler ${finished} starts`);
      started[finished]!.finish();
      assert.ok(most() <= 10, `${most()} are held`);
    }
    await until(() => topic.unsettled === 0, "all settled");
    assert.equal(topic.mostDeliveries, 1);
    await worker.drain();
  });

  test(`${mode}: one slot over four busy proxies serves them all`, async () => {
    const topic = new FakeTopic();
    const proxies = await Promise.all(
      [0, 1, 2, 3].map((index) => proxyOf(topic, { instance: `p${index}`, partitions: [index] })),
    );
    for (let partition = 0; partition < 4; partition++) topic.produce(partition, 5);
    const client = await clientOf(proxies, { mode });
    const worker = client.work(() => undefined, { concurrency: 1, prefetch: 0 });
    await until(() => topic.unsettled === 0, "all settled");
    await worker.drain();
  });
}

test("a handler that throws is a nack with its words, and reject and nack inside it win over its end", async () => {
  const topic = new FakeTopic();
  topic.produce(0, 3);
  const client = await clientOf([await proxyOf(topic)]);
  const worker = client.work((message) => {
    if (message.offset === 0 && message.attempt === 1) throw new Error("not today");
    if (message.offset === 1) message.reject("never");
    if (message.offset === 2 && message.attempt === 1) {
      message.nack({ delayMs: 1_000, reason: "later" });
      throw new Error("too late to count");
    }
  });
  await until(() => topic.unsettled === 0, "all settled");
  assert.deepEqual(topic.rejected, [{ offset: 1, reason: "never" }]);
  assert.deepEqual(
    topic.nacked.toSorted((a, b) => a.offset - b.offset),
    [
      { offset: 0, reason: "not today", delayMs: -1 },
      { offset: 2, reason: "later", delayMs: 1_000 },
    ],
  );
  await worker.drain();
  const { acked, nacked, rejected } = worker.stats;
  assert.deepEqual({ acked, nacked, rejected }, { acked: 2, nacked: 2, rejected: 1 });
});

test("leases of running handlers are renewed; what waits unstarted goes back", async () => {
  const topic = new FakeTopic();
  topic.produce(0, 4);
  const proxy = await proxyOf(topic, quick);
  const client = await clientOf([proxy]);
  const { started, handler } = heldHandler();
  const worker = client.work(handler, { concurrency: 1, prefetch: 3 });
  await until(() => proxy.frames("extend").length >= 6, "six renewals");
  assert.equal(started.length, 1);
  assert.equal(proxy.held(), 1, "the other three are free again");
  assert.ok(proxy.frames("release").length >= 1);
  assert.equal(started[0]!.message.signal.aborted, false);
  assert.equal(topic.deliveries.get(`0:${started[0]!.message.offset}`), 1);
  for (let finished = 0; finished < 4; finished++) {
    await until(() => started.length > finished, `handler ${finished}`);
    started[finished]!.finish();
  }
  await until(() => topic.unsettled === 0, "all settled");
  await worker.drain();
  assert.equal(worker.stats.leaseLost, 0);
  assert.ok(worker.stats.renewed >= 6);
});

test("a cut connection is resumed: the handler goes on and its ack counts", async () => {
  const topic = new FakeTopic();
  topic.produce(0, 1);
  const proxy = await proxyOf(topic);
  const client = await clientOf([proxy]);
  const connected: boolean[] = [];
  client.on("proxyConnected", ({ resumed }) => connected.push(resumed));
  const { started, handler } = heldHandler();
  const worker = client.work(handler);
  await until(() => started.length === 1, "the handler starts");
  await proxy.unplug();
  await until(() => client.state === "waiting", "waiting");
  started[0]!.finish();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await proxy.start();
  await until(() => topic.unsettled === 0, "acked");
  assert.deepEqual(connected, [true]);
  assert.equal(topic.mostDeliveries, 1);
  await worker.drain();
  assert.equal(worker.stats.leaseLost, 0);
});

test("acks that a killed proxy had not committed are presented to the partition's next owner, and so is what is held", async () => {
  const topic = new FakeTopic();
  topic.produce(0, 3);
  const first = await proxyOf(topic, { instance: "a", autoCommit: false, ...quick });
  const second = await proxyOf(topic, { instance: "b", partitions: [], ...quick });
  const client = await clientOf([first, second]);
  const { started, handler } = heldHandler();
  const worker = client.work(handler, { concurrency: 3, prefetch: 0 });
  await until(() => started.length === 3, "three handlers");
  const byOffset = (offset: number) =>
    started.find(({ message }) => message.offset === offset) as (typeof started)[0];
  byOffset(0).finish();
  await until(() => first.frames("ack").length > 0, "the first ack");
  await first.kill();
  byOffset(1).finish();
  await new Promise((resolve) => setTimeout(resolve, 50));
  second.takeOver([0]);
  await until(() => second.frames("present").length > 0, "present");
  byOffset(2).finish();
  await until(() => topic.unsettled === 0, "all settled by the next owner");
  assert.equal(topic.mostDeliveries, 1);
  assert.equal(started.length, 3);
  await worker.drain();
  assert.equal(worker.stats.leaseLost, 0);
});

test("a partition that moves under running handlers costs no duplicate and no lease", async () => {
  const topic = new FakeTopic();
  topic.produce(0, 4);
  const first = await proxyOf(topic, { instance: "a", ...quick });
  const second = await proxyOf(topic, { instance: "b", partitions: [], ...quick });
  const client = await clientOf([first, second]);
  const { started, handler } = heldHandler();
  const worker = client.work(handler, { concurrency: 4, prefetch: 0 });
  await until(() => started.length === 4, "four handlers");
  first.setPartitions([]);
  started[0]!.finish(); // has nowhere to go yet
  started[1]!.finish(new Error("try again")); // neither has a nack
  await new Promise((resolve) => setTimeout(resolve, 100));
  second.takeOver([0]);
  started[2]!.finish();
  await until(() => second.frames("extend").length >= 4, "the new owner renews");
  started[3]!.finish();
  await until(() => started.length === 5, "the nacked one comes again, from the new owner");
  assert.equal(started[4]!.message.offset, started[1]!.message.offset);
  assert.equal(started[4]!.message.attempt, 2);
  started[4]!.finish();
  await until(() => topic.unsettled === 0, "all settled");
  assert.deepEqual(
    topic.nacked.map(({ reason }) => reason),
    ["try again"],
  );
  await worker.drain();
  assert.equal(worker.stats.leaseLost, 0);
});

test("a restarted proxy is told what is held and acked", async () => {
  const topic = new FakeTopic();
  topic.produce(0, 2);
  const proxy = await proxyOf(topic, { autoCommit: false, ...quick });
  const client = await clientOf([proxy]);
  const { started, handler } = heldHandler();
  client.work(handler, { concurrency: 2 });
  await until(() => started.length === 2, "two handlers");
  started[0]!.finish();
  await until(() => proxy.frames("ack").length === 1, "an ack");
  await proxy.kill();
  proxy.takeOver([0]);
  await proxy.start();
  await until(() => proxy.frames("present").length === 1, "present");
  const [present] = proxy.frames("present");
  assert.deepEqual(present!.records.map(({ state }) => state).toSorted(), ["acked", "held"]);
  started[1]!.finish();
  await until(() => topic.unsettled === 0, "all settled");
  assert.equal(topic.mostDeliveries, 1);
});

test("an expired lease aborts the signal, and the late ack still counts", async () => {
  const topic = new FakeTopic();
  topic.produce(0, 1);
  const proxy = await proxyOf(topic, quick);
  proxy.deaf.add("extend");
  const client = await clientOf([proxy]);
  const lost: string[] = [];
  client.on("leaseLost", ({ reason }) => lost.push(reason));
  const { started, handler } = heldHandler();
  const worker = client.work(handler, { concurrency: 1, prefetch: 0 });
  await until(() => started.length === 1, "the handler");
  const { signal } = started[0]!.message;
  await until(() => signal.aborted, "the signal aborts");
  assert.ok(signal.reason instanceof ClientError);
  assert.equal(signal.reason.code, "lease-lost");
  started[0]!.finish();
  await until(() => topic.unsettled === 0, "the late ack");
  assert.deepEqual(lost, ["expired"]);
  await worker.drain();
});

test("messages() yields, renews what it yielded, and hands back the rest when left", async () => {
  const topic = new FakeTopic();
  topic.produce(0, 10);
  const proxy = await proxyOf(topic, quick);
  const client = await clientOf([proxy]);
  let count = 0;
  for await (const message of client.messages({ maxInFlight: 4 })) {
    if (count === 0) await until(() => proxy.frames("extend").length > 3, "renewals");
    assert.ok(proxy.held() <= 4);
    message.ack();
    if (++count === 5) break;
  }
  await until(() => proxy.held() === 0 && topic.unsettled === 5, "handed back");
  assert.equal(topic.mostDeliveries, 1);
});

test("pull() returns what there is, waits when there is nothing, and does not renew", async () => {
  const topic = new FakeTopic();
  topic.produce(0, 5);
  const proxy = await proxyOf(topic, quick);
  const client = await clientOf([proxy]);
  const first = await client.pull({ max: 3 });
  assert.equal(first.length, 3);
  for (const message of first) message.ack();
  const [fourth, fifth] = await client.pull({ max: 10, maxBytes: 1_000 });
  fourth!.ack();
  await fifth!.extend();
  await until(() => proxy.frames("extend").length === 1, "the extend that was asked for");
  await until(() => fifth!.signal.aborted, "the lease of the fifth runs out");
  await assert.rejects(fifth!.extend(), { code: "lease-lost" });
  const [again] = await client.pull();
  assert.equal(again!.attempt, 2);
  again!.ack();
  assert.deepEqual(await client.pull({ waitMs: 20 }), []);
  const controller = new AbortController();
  const waiting = client.pull({ signal: controller.signal });
  controller.abort();
  await assert.rejects(waiting, { code: "aborted" });
  await assert.rejects(client.pull({ max: 0 }), { code: "bad-arguments" });
  const late = client.pull();
  topic.produce(0, 1);
  proxy.offer();
  assert.equal((await late).length, 1);
});

test("drain lets handlers finish, hands back what has not started, and sees the acks durable", async () => {
  const topic = new FakeTopic();
  topic.produce(0, 10);
  const proxy = await proxyOf(topic, { autoCommit: false });
  const client = await clientOf([proxy]);
  const { started, handler } = heldHandler();
  const worker = client.work(handler, { concurrency: 2, prefetch: 4 });
  await until(() => proxy.held() === 6, "six are held");
  let drained = false;
  const draining = (async () => {
    await worker.drain();
    drained = true;
  })();
  await until(() => proxy.held() === 2, "four are handed back");
  for (const { finish } of started) finish();
  await until(() => proxy.frames("ack").length > 0, "acks");
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(drained, false, "acks are not durable yet");
  proxy.commit();
  await draining;
  await worker.finished;
  assert.equal(started.length, 2);
  await client.close();
  await until(() => proxy.sessions.size === 0, "goaway");
  assert.equal(client.state, "closed");
  assert.throws(() => client.work(handler), { code: "closed" });
});

test("drain with a time-out gives up on handlers, and aborts their signals", async () => {
  const topic = new FakeTopic();
  topic.produce(0, 1);
  const client = await clientOf([await proxyOf(topic)]);
  const { started, handler } = heldHandler();
  const worker = client.work(handler);
  await until(() => started.length === 1, "the handler");
  const { signal } = started[0]!.message;
  await worker.drain({ timeoutMs: 50 });
  assert.equal(signal.aborted, true);
});

test("goaway: nothing more is asked of that proxy, and what is held is finished there", async () => {
  const topic = new FakeTopic();
  topic.produce(0, 1);
  const proxy = await proxyOf(topic);
  const client = await clientOf([proxy]);
  const { started, handler } = heldHandler();
  client.work(handler);
  await until(() => started.length === 1, "the handler");
  proxy.toAll({ type: "goaway", graceMs: 1_000, reason: "draining" });
  await until(() => client.proxies[0]?.state === "draining", "draining");
  const pulls = proxy.frames("pull").length;
  started[0]!.finish();
  await until(() => topic.unsettled === 0, "acked");
  topic.produce(0, 1);
  proxy.offer();
  await until(
    () => proxy.frames("pull").some(({ maxMessages }) => maxMessages === 0),
    "the offer is declined",
  );
  assert.ok(
    proxy
      .frames("pull")
      .slice(pulls)
      .every(({ maxMessages }) => maxMessages === 0),
  );
});

test("connect() refuses what can't work, and takes a proxy that is away as a state", async () => {
  const topic = new FakeTopic();
  const proxy = await proxyOf(topic, { token: "secret" });
  await assert.rejects(clientOf([proxy], { token: "wrong" }), { code: "unauthorized" });
  proxy.refuse = "wrong-target";
  await assert.rejects(clientOf([proxy], { token: "secret" }), { code: "wrong-target" });
  await proxy.stop();
  const client = await clientOf([proxy], { token: "secret" });
  assert.equal(client.state, "waiting");
  proxy.refuse = undefined;
  await proxy.start();
  await until(() => client.state === "connected", "connected");
  await assert.rejects(
    connect({ topic: "", mode: "sideways" as "pull", proxies: ["nowhere"] }),
    (error: ClientError) => {
      assert.equal(error.code, "bad-config");
      for (const key of ["topic", "mode", "proxies", "consumerGroup"]) {
        assert.match(error.message, new RegExp(`- ${key}: `));
      }
      return true;
    },
  );
});

test("the token is read anew for every connection", async () => {
  const topic = new FakeTopic();
  const proxy = await proxyOf(topic, { token: "one" });
  let token = "one";
  const client = await clientOf([proxy], { token: () => token });
  const errors: string[] = [];
  client.on("error", ({ code }) => errors.push(code));
  proxy.token = "two";
  proxy.cut();
  await until(() => errors.length > 0, "the old token is refused");
  token = "two";
  await until(() => client.state === "connected", "connected again");
  assert.deepEqual(errors, ["unauthorized"]);
});

test("a proxy that does not answer is found by pings", async () => {
  const topic = new FakeTopic();
  const proxy = await proxyOf(topic, { limits: { heartbeatIntervalMs: 40, ackTimeoutMs: 60 } });
  const client = await clientOf([proxy]);
  await until(() => proxy.frames("ping").length >= 3, "pings");
  assert.equal(client.state, "connected");
  proxy.deaf.add("ping");
  await until(() => proxy.connections >= 2, "a new connection");
});

test("whatever a handler does, the client goes on", async () => {
  const topic = new FakeTopic();
  topic.produce(0, 6);
  const client = await clientOf([await proxyOf(topic)]);
  client.on("state", () => {
    throw new Error("a listener's own fault");
  });
  const worker = client.work((message) => {
    if (message.attempt > 1) return undefined;
    switch (message.offset) {
      case 0:
        message.nack({ delayMs: Number.POSITIVE_INFINITY });
        return undefined;
      case 1:
        message.nack({ delayMs: Number.NaN, reason: null as unknown as string });
        return undefined;
      case 2:
        throw undefined;
      case 3:
        message.reject("x".repeat(1_000_000));
        return undefined;
      case 4:
        // A thenable that is no promise, and ends twice.
        return {
          // oxlint-disable-next-line unicorn/no-thenable -- this is what is tested
          then: (_: unknown, reject: (error: unknown) => void) => {
            reject("once");
            reject("twice");
          },
        };
      default:
        message.ack();
        message.nack();
        throw new Error("after its ack");
    }
  });
  await until(() => topic.unsettled === 0, "all settled");
  const delays = topic.nacked.map(({ delayMs }) => delayMs).toSorted((a, b) => a - b);
  assert.deepEqual(delays, [-1, -1, -1, 900_000]);
  await worker.drain();
  await client.close();
});
