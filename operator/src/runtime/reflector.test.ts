import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import type { KubeObject } from "./kube-object.ts";
import type { Logger } from "./logger.ts";
import { Reflector, type ReflectorOptions, type ReflectorTiming } from "./reflector.ts";
import { answer, type Handler, quiet, scriptedApi, until } from "./test-api.ts";

const kind = { apiVersion: "test/v1", kind: "Thing", plural: "things" };
const timing: Partial<ReflectorTiming> = {
  pageSize: 2,
  backoff: { firstMs: 1, maxMs: 20 },
  absentMs: 20,
};

/** As a watch says it; in a real list an object does not say what it is. */
const item = (name: string, version: number) => ({
  apiVersion: kind.apiVersion,
  kind: kind.kind,
  metadata: { namespace: "ns", name, resourceVersion: String(version), managedFields: [{}] },
});

function say(response: ServerResponse, type: string, object: unknown): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

async function follow(handler: Handler, extra: Partial<ReflectorOptions<KubeObject>> = {}) {
  const api = await scriptedApi(handler);
  const seen: string[] = [];
  const reflector = new Reflector<KubeObject>({
    client: api.client,
    kind,
    onChange: ({ key, after }) => seen.push(`${key}@${after?.metadata.resourceVersion ?? "gone"}`),
    logger: quiet,
    ...extra,
    timing: { ...timing, ...extra.timing },
  });
  reflector.start();
  return {
    ...api,
    seen,
    reflector,
    end: async () => {
      await reflector.close();
      await api.close();
    },
  };
}

test("lists in pages, watches from there with bookmarks, and goes on at the last version", async () => {
  let watches = 0;
  const followed = await follow(({ url }, response) => {
    if (url.searchParams.get("watch") !== "true") {
      const second = url.searchParams.get("continue") === "more";
      answer(response, 200, {
        metadata: { resourceVersion: "10", ...(!second && { continue: "more" }) },
        items: second ? [item("c", 3)] : [item("a", 1), item("b", 2)],
      });
      return;
    }
    watches += 1;
    response.writeHead(200);
    if (watches === 1) {
      say(response, "MODIFIED", item("a", 11));
      say(response, "BOOKMARK", { metadata: { resourceVersion: "15" } });
      response.end();
    } else if (watches === 2) {
      say(response, "DELETED", item("b", 16));
    }
  });
  await followed.reflector.synced();
  await until("the second watch's event", () => followed.seen.length === 5);
  assert.deepEqual(followed.seen, ["ns/a@1", "ns/b@2", "ns/c@3", "ns/a@11", "ns/b@gone"]);
  assert.match(followed.requests[2] ?? "", /watch=true.*resourceVersion=10/u);
  assert.match(followed.requests[3] ?? "", /watch=true.*resourceVersion=15/u);
  const [first] = followed.reflector.values();
  assert.equal(first?.kind, "Thing");
  assert.ok(!("managedFields" in (first?.metadata ?? {})));
  await followed.end();
});

for (const [name, forgotten] of [
  [
    "an event of the watch",
    (response: ServerResponse) => {
      response.writeHead(200);
      say(response, "ERROR", { kind: "Status", code: 410, reason: "Expired" });
      response.end();
    },
  ],
  [
    "the watch's answer",
    (response: ServerResponse) => answer(response, 410, { code: 410, reason: "Expired" }),
  ],
  [
    "a server that is behind",
    (response: ServerResponse) =>
      answer(response, 504, {
        code: 504,
        details: { causes: [{ reason: "ResourceVersionTooLarge" }] },
      }),
  ],
] as const) {
  test(`a server that has none of the versions that it lists is asked less and less often: ${name}`, async () => {
    const attempts: unknown[] = [];
    const warn: Logger["warn"] = (fields) => attempts.push((fields as { attempt: number }).attempt);
    let lists = 0;
    const followed = await follow(
      ({ url }, response) => {
        if (url.searchParams.get("watch") === "true") {
          forgotten(response);
          return;
        }
        lists += 1;
        answer(response, 200, { metadata: { resourceVersion: "7" }, items: [] });
      },
      { logger: { ...quiet, warn } },
    );
    await until("the sixth list", () => lists >= 6);
    await followed.end();
    assert.deepEqual(attempts.slice(0, 4), [1, 2, 3, 4], "the first time it is listed at once");
  });

  test(`a version that the server does not have is listed anew: ${name}`, async () => {
    let lists = 0;
    const followed = await follow(({ url }, response) => {
      if (url.searchParams.get("watch") === "true") {
        if (lists === 1) forgotten(response);
        else response.writeHead(200).flushHeaders();
        return;
      }
      lists += 1;
      answer(response, 200, {
        metadata: { resourceVersion: String(lists * 100) },
        items: lists === 1 ? [item("a", 1), item("b", 2)] : [item("b", 150)],
      });
    });
    await until("the second list", () => followed.seen.length === 4);
    assert.deepEqual(followed.seen, ["ns/a@1", "ns/b@2", "ns/b@150", "ns/a@gone"]);
    await followed.end();
  });
}

test("a continue token that has run out leads to one list without pages", async () => {
  const followed = await follow(({ url }, response) => {
    if (url.searchParams.get("watch") === "true") response.writeHead(200).flushHeaders();
    else if (url.searchParams.has("continue")) answer(response, 410, { reason: "Expired" });
    else {
      const paged = url.searchParams.has("limit");
      answer(response, 200, {
        metadata: { resourceVersion: "9", ...(paged && { continue: "old" }) },
        items: paged ? [item("a", 1), item("b", 2)] : [item("a", 1), item("b", 2), item("c", 3)],
      });
    }
  });
  await followed.reflector.synced();
  assert.equal(followed.reflector.size, 3);
  await followed.end();
});

test("every other failure is tried again, from where it was", async () => {
  const failures: ((response: ServerResponse) => void)[] = [
    (response) => answer(response, 500, { message: "etcd is away" }),
    (response) => answer(response, 429, { message: "slowly" }),
    (response) => answer(response, 403, { message: "no right" }),
    (response) => response.destroy(),
    (response) => {
      response.writeHead(200);
      response.end("this is not JSON\n");
    },
    (response) => response.writeHead(200).end(),
  ];
  let listed = false;
  let failed = 0;
  const followed = await follow(({ url }, response) => {
    if (url.searchParams.get("watch") === "true") {
      const failure = failures[failed];
      failed += 1;
      if (failure !== undefined) failure(response);
      else {
        response.writeHead(200);
        say(response, "ADDED", item("b", 8));
      }
    } else if (listed) assert.fail("listed again");
    else {
      listed = true;
      answer(response, 200, { metadata: { resourceVersion: "7" }, items: [item("a", 1)] });
    }
  });
  await until("the event after all failures", () => followed.seen.length === 2);
  assert.deepEqual(followed.seen, ["ns/a@1", "ns/b@8"]);
  assert.equal(followed.reflector.failures, 0);
  await followed.end();
});

test("a watch that says nothing is renewed", async () => {
  let watches = 0;
  const followed = await follow(
    ({ url }, response) => {
      if (url.searchParams.get("watch") !== "true") {
        answer(response, 200, { metadata: { resourceVersion: "7" }, items: [] });
        return;
      }
      watches += 1;
      response.writeHead(200).flushHeaders();
      // The third may be silent for too long as well, where the machine stands still.
      if (watches >= 3) say(response, "ADDED", item("a", 8));
    },
    { timing: { silenceMs: 50 } },
  );
  await until("the third watch", () => followed.seen.length === 1);
  assert.equal(followed.requests.filter((one) => !one.includes("watch=true")).length, 1);
  await followed.end();
});

test("a kind that is not there is empty until it comes, which is told once", async () => {
  let there = false;
  let appeared = 0;
  const followed = await follow(
    ({ url }, response) => {
      if (!there) answer(response, 404, { message: "the server could not find it" });
      else if (url.searchParams.get("watch") === "true") response.writeHead(200).flushHeaders();
      else answer(response, 200, { metadata: { resourceVersion: "7" }, items: [item("a", 1)] });
    },
    { optional: true, onAppeared: () => (appeared += 1) },
  );
  await followed.reflector.synced();
  assert.equal(followed.reflector.present, false);
  assert.equal(appeared, 0);
  there = true;
  await until("it is seen", () => followed.reflector.present && followed.reflector.size === 1);
  assert.equal(appeared, 1);
  await followed.end();
});
