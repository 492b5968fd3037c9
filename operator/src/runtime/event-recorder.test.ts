import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { EventRecorder } from "./event-recorder.ts";
import type { KubeObject } from "./kube-object.ts";
import type { Logger } from "./logger.ts";
import { answer, quiet, scriptedApi } from "./test-api.ts";

interface WrittenEvent {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly message: string;
  readonly [key: string]: unknown;
}

const about: KubeObject = {
  apiVersion: "kafkaproxy.dev/v1alpha1",
  kind: "KafkaProxy",
  metadata: { name: "orders", namespace: "shop", uid: "u-1", resourceVersion: "7" },
};
const degraded = { type: "Warning", reason: "TopicNotFound", message: "no topic orders" } as const;

/** Events as an API server keeps them. */
async function eventServer(context: TestContext) {
  const events = new Map<string, WrittenEvent>();
  const api = await scriptedApi(({ url, verb, body }, response) => {
    const name = url.pathname.split("/").at(-1) ?? "";
    const given = (body === "" ? {} : JSON.parse(body)) as WrittenEvent;
    const known = events.get(verb === "POST" ? given.metadata.name : name);
    if (verb === "POST" && known !== undefined) answer(response, 409, { reason: "AlreadyExists" });
    else if (verb === "POST") {
      events.set(given.metadata.name, given);
      answer(response, 201, given);
    } else if (known === undefined) answer(response, 404, {});
    else {
      const merged = verb === "PATCH" ? { ...known, ...given } : known;
      events.set(name, merged);
      answer(response, 200, merged);
    }
  });
  context.after(() => api.close());
  const recorder = new EventRecorder({ client: api.client, component: "operator", logger: quiet });
  return { api, recorder, events: () => [...events.values()] };
}

test("an event is about its object, in its namespace", async (context) => {
  const { recorder, events, api } = await eventServer(context);
  await recorder.record(about, degraded);
  const [event, ...others] = events();
  assert.equal(others.length, 0);
  assert.deepEqual(api.requests, ["POST /api/v1/namespaces/shop/events"]);
  assert.deepEqual(event?.["involvedObject"], {
    apiVersion: "kafkaproxy.dev/v1alpha1",
    kind: "KafkaProxy",
    namespace: "shop",
    name: "orders",
    uid: "u-1",
    resourceVersion: "7",
  });
  assert.equal(event["type"], "Warning");
  assert.equal(event["reason"], "TopicNotFound");
  assert.equal(event.message, "no topic orders");
  assert.equal(event["count"], 1);
  assert.deepEqual(event["source"], { component: "operator" });
  assert.match(String(event["firstTimestamp"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/u);
});

test("the same said again is counted, something else is another event", async (context) => {
  const { recorder, events } = await eventServer(context);
  for (let time = 0; time < 3; time += 1) await recorder.record(about, degraded);
  await recorder.record(about, { ...degraded, message: "no topic at all" });
  assert.deepEqual(
    events().map(({ message, count }) => [message, count]),
    [
      ["no topic orders", 3],
      ["no topic at all", 1],
    ],
  );
});

test("what is too long for the API server is cut", async (context) => {
  const { recorder, events } = await eventServer(context);
  const long = { ...about, metadata: { ...about.metadata, name: "n".repeat(253) } };
  await recorder.record(long, { ...degraded, message: "m".repeat(2_000) });
  const [event] = events();
  assert.equal(event?.message.length, 1_024);
  assert.ok(event.metadata.name.length <= 253);
});

test("an event that can't be written is logged, and no failure", async (context) => {
  const api = await scriptedApi((_, response) => {
    answer(response, 403, { message: "events is forbidden" });
  });
  context.after(() => api.close());
  const warnings: string[] = [];
  const logger: Logger = { ...quiet, warn: (_, message) => void warnings.push(message) };
  const recorder = new EventRecorder({ client: api.client, component: "operator", logger });
  await recorder.record(about, degraded);
  assert.deepEqual(warnings, ["event: not recorded"]);
});
