import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ClusterAccess } from "./access.ts";
import { guarded, HttpKubeClient } from "./kube-client.ts";
import { KubeError } from "./kube-error.ts";
import { answer, type Handler, scriptedApi, until } from "./test-api.ts";

async function api(context: TestContext, handler: Handler) {
  const made = await scriptedApi(handler);
  context.after(() => made.close());
  return made;
}

/** As an API server that goes away: a kept connection is closed when the next request comes on it. */
function closingKept(times: number): Handler {
  const used = new Set<unknown>();
  let left = times;
  return (_, response) => {
    const { socket } = response;
    if (used.has(socket) && left > 0) {
      left -= 1;
      socket?.destroy();
      return;
    }
    used.add(socket);
    answer(response, 200, { ok: true });
  };
}

test("a kept connection that the server has closed costs nothing: the request is repeated", async (context) => {
  const { client, requests } = await api(context, closingKept(1));
  await client.request("GET", "/first");
  assert.deepEqual(await client.request("GET", "/second"), { ok: true });
  assert.deepEqual(requests, ["GET /first", "GET /second", "GET /second"]);
});

test("two of them in a row are `unreachable`, in words", async (context) => {
  const { client, requests } = await api(context, closingKept(2));
  // Two connections are kept.
  await Promise.all([client.request("GET", "/a"), client.request("GET", "/b")]);
  await assert.rejects(client.request("GET", "/second"), {
    name: "KubeError",
    code: "unreachable",
    message: /^GET \/second: no connection to the API server: \S/u,
  });
  assert.deepEqual(requests.slice(2), ["GET /second", "GET /second"]);
});

test("an answer that is not JSON is a failure of the server", async (context) => {
  const { client } = await api(context, (_, response) => response.end("<html>log in</html>"));
  await assert.rejects(client.request("GET", "/first"), {
    name: "KubeError",
    code: "server-error",
    message: "GET /first: the API server answered 200 with what is not JSON: <html>log in</html>",
  });
});

test("who leads no more repeats no write, although it led when it was begun", async (context) => {
  const { client, requests } = await api(context, closingKept(1));
  await client.request("GET", "/first");
  let asked = 0;
  const writer = guarded(client, () => {
    asked += 1;
    if (asked > 1) throw new KubeError("not-leading", "the lease is gone");
  });
  await assert.rejects(writer.request("PATCH", "/second"), { code: "not-leading" });
  assert.deepEqual(requests, ["GET /first", "PATCH /second"]);
});

test("told to stop while it finds out its credentials, a watch asks for nothing", async (context) => {
  const credentials = Promise.withResolvers<Record<string, string>>();
  let asked = false;
  const access: ClusterAccess = {
    server: new URL("http://127.0.0.1:9"),
    tls: {},
    namespace: "default",
    headers: () => {
      asked = true;
      return credentials.promise;
    },
  };
  const client = new HttpKubeClient(access, { userAgent: "test" });
  context.after(() => client.close());
  const stop = new AbortController();
  const lines = client.lines("/watch", { signal: stop.signal, silenceMs: 30_000 });
  const first = lines.next();
  await until("asked", () => asked);
  stop.abort();
  credentials.resolve({});
  // Nothing listens there: had it asked, it would have failed.
  assert.deepEqual(await first, { done: true, value: undefined });
});
