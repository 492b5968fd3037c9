// At a client's goaway a proxy counts what is still held as deliveries that failed: what nobody has started is handed back before.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { connect, type ConnectOptions, type ProxyClient } from "./index.ts";
import { FakeProxy } from "./testing/fake-proxy.ts";
import { FakeTopic } from "./testing/fake-topic.ts";
import { until } from "./testing/until.ts";

async function stage(
  t: TestContext,
  mode: "pull" | "push",
  count: number,
): Promise<{ topic: FakeTopic; proxy: FakeProxy; client: ProxyClient; abort: AbortController }> {
  const topic = new FakeTopic();
  topic.produce(0, count);
  const proxy = await new FakeProxy(topic).start();
  const abort = new AbortController();
  const options: ConnectOptions = {
    proxies: [proxy.address],
    topic: "orders",
    consumerGroup: "billing",
    mode,
    signal: abort.signal,
  };
  const client = await connect(options);
  t.after(async () => {
    await client.close({ timeoutMs: 0 });
    await proxy.stop();
  });
  return { topic, proxy, client, abort };
}

/** Offsets that were released, and the order of the last frames. */
function told(proxy: FakeProxy): { released: number[]; goawayIsLast: boolean } {
  const released = proxy.frames("release").flatMap(({ records }) => records);
  return {
    released: released.map(({ offset }) => offset).toSorted((a, b) => a - b),
    goawayIsLast: proxy.received.at(-1)?.type === "goaway",
  };
}

const ended = (proxy: FakeProxy) => until(() => proxy.sessions.size === 0, "goaway");
const never = () => new Promise<never>(() => undefined);

for (const mode of ["pull", "push"] as const) {
  for (const how of ["close", "drain, then close", "signal"] as const) {
    test(`${mode}, ${how}: handlers that do not end in time keep what they have, the rest is handed back first`, async (t) => {
      const { topic, proxy, client, abort } = await stage(t, mode, 6);
      const worker = client.work(never, { concurrency: 2, prefetch: 4 });
      await until(() => worker.stats.received === 6, "six have come, and two are started");
      if (how === "drain, then close") await worker.drain({ timeoutMs: 20 });
      if (how === "signal") abort.abort();
      else await client.close({ timeoutMs: 20 });
      await ended(proxy);
      assert.deepEqual(told(proxy), { released: [2, 3, 4, 5], goawayIsLast: true });
      assert.deepEqual(
        topic.records.map(({ attempt }) => attempt),
        [1, 1, 0, 0, 0, 0],
      );
    });
  }

  test(`${mode}: messages() that were not yielded are handed back first`, async (t) => {
    const { topic, proxy, client } = await stage(t, mode, 4);
    const messages = client.messages({ maxInFlight: 4 });
    await messages.next();
    await until(() => proxy.held() === 4, "four are held");
    await client.close({ timeoutMs: 20 });
    await ended(proxy);
    assert.deepEqual(told(proxy), { released: [1, 2, 3], goawayIsLast: true });
    assert.equal(topic.records[0]?.attempt, 1);
  });

  test(`${mode}: what was on its way at the close is handed back too`, async (t) => {
    const { topic, proxy, client } = await stage(t, mode, 0);
    const worker = client.work(never, { concurrency: 4 });
    await until(
      () => proxy.frames(mode === "pull" ? "pull" : "credit").length > 0,
      "it has asked for records",
    );
    proxy.latencyMs = 50;
    topic.produce(0, 4);
    proxy.offer();
    await until(() => proxy.held() > 0, "sent, and not there yet");
    await client.close({ timeoutMs: 0 });
    await ended(proxy);
    assert.equal(worker.stats.received, 0);
    assert.deepEqual(told(proxy), { released: [0, 1, 2, 3], goawayIsLast: true });
    assert.deepEqual(
      topic.records.map(({ attempt }) => attempt),
      [0, 0, 0, 0],
    );
  });
}
