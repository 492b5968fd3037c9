import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeClient, KubeRequest } from "./kube-client.ts";
import { KubeError } from "./kube-error.ts";
import { LeaderElection } from "./leader-election.ts";
import type { Logger } from "./logger.ts";
import { quiet, until } from "./test-api.ts";

/** One Lease as the API server keeps it, with faults. */
class LeaseServer {
  lease: { metadata: { resourceVersion: string }; spec: { holderIdentity?: string } } | undefined;
  version = 0;
  looks = 0;
  #away = new Set<string>();
  #hanging = new Set<string>();
  /** Writes that are not answered now. */
  unanswered = 0;

  /** Requests of this contender are not answered. */
  cut(identity: string): void {
    this.#away.add(identity);
  }

  mend(identity: string): void {
    this.#away.delete(identity);
  }

  /** Writes of this contender get no answer, ever. */
  hang(identity: string): void {
    this.#hanging.add(identity);
  }

  /** Somebody deletes the lease. */
  forget(): void {
    this.lease = undefined;
  }

  client(identity: string): KubeClient {
    return {
      request: async <T>(verb: string, _path: string, request?: KubeRequest): Promise<T> => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (verb !== "GET" && this.#hanging.has(identity)) {
          this.unanswered += 1;
          await new Promise((resolve) => request?.signal?.addEventListener("abort", resolve));
          this.unanswered -= 1;
          throw new KubeError("aborted", "told to stop");
        }
        if (this.#away.has(identity)) throw new KubeError("unreachable", "cut");
        return this.#serve(verb, request?.body) as T;
      },
      async *lines() {
        yield* [];
        throw new KubeError("invalid", "an election watches nothing");
      },
    };
  }

  #serve(verb: string, body: unknown): unknown {
    const given = body as LeaseServer["lease"];
    if (verb === "GET") {
      this.looks += 1;
      if (this.lease === undefined) throw new KubeError("not-found", "no lease");
      return structuredClone(this.lease);
    }
    const known = this.lease?.metadata.resourceVersion;
    if (verb === "POST" ? this.lease !== undefined : given?.metadata.resourceVersion !== known) {
      throw new KubeError("conflict", "written by another");
    }
    this.version += 1;
    this.lease = structuredClone({
      ...given!,
      metadata: { ...given!.metadata, resourceVersion: String(this.version) },
    });
    return structuredClone(this.lease);
  }
}

/** As in a cluster, looked at more often: nothing runs out while a test waits, however slow the machine. */
const unhurried = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 100 };
/** For tests of what happens when it does. */
const brief = { leaseDurationMs: 1_500, renewDeadlineMs: 1_000, retryMs: 100 };

function contend(
  server: LeaseServer,
  identity: string,
  leaders: Set<string>,
  { times = unhurried, logger = quiet }: { times?: typeof unhurried; logger?: Logger } = {},
) {
  const stop = new AbortController();
  const election = new LeaderElection({
    client: server.client(identity),
    namespace: "ns",
    name: "lease",
    identity,
    ...times,
    logger,
  });
  const ended = election.run(async (signal) => {
    assert.deepEqual([...leaders], [], `${identity} leads beside another`);
    leaders.add(identity);
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
    leaders.delete(identity);
  }, stop.signal);
  return {
    election,
    close: async () => {
      stop.abort();
      await ended;
    },
  };
}

test("one leads; when it closes the next leads at once", async () => {
  const server = new LeaseServer();
  const leaders = new Set<string>();
  const a = contend(server, "a", leaders);
  await until("a leads", () => leaders.has("a"));
  const b = contend(server, "b", leaders);
  await until("b has looked", () => b.election.state === "contending");
  await a.close();
  assert.equal(server.lease?.spec.holderIdentity, "");
  await until("b leads", () => leaders.has("b"));
  await b.close();
});

test("a leader that can't renew stops before another can begin, and contends again", async () => {
  const server = new LeaseServer();
  const leaders = new Set<string>();
  const a = contend(server, "a", leaders, { times: brief });
  await until("a leads", () => leaders.has("a"));
  const b = contend(server, "b", leaders, { times: brief });
  server.cut("a");
  await until("a has stopped", () => !leaders.has("a"));
  assert.throws(() => a.election.check(), { code: "not-leading" });
  await until("b leads", () => leaders.has("b"));
  server.mend("a");
  await b.close();
  await until("a leads again", () => leaders.has("a"));
  await a.close();
});

test("a renewal that hangs does not keep the work going beyond the deadline", async () => {
  const server = new LeaseServer();
  const leaders = new Set<string>();
  const a = contend(server, "a", leaders, { times: brief });
  await until("a leads", () => leaders.has("a"));
  const b = contend(server, "b", leaders, { times: brief });
  server.hang("a");
  await until("a renewal hangs", () => server.unanswered === 1);
  await until("a has stopped", () => !leaders.has("a"));
  assert.throws(() => a.election.check(), { code: "not-leading" });
  await until("b leads", () => leaders.has("b"));
  await b.close();
  await a.close();
});

test("once check() has thrown the work is told to stop, and the lease is contended for again when it has", async () => {
  const server = new LeaseServer();
  const stop = new AbortController();
  const election = new LeaderElection({
    client: server.client("a"),
    namespace: "ns",
    name: "lease",
    identity: "a",
    leaseDurationMs: 300,
    renewDeadlineMs: 200,
    retryMs: 20,
    logger: quiet,
  });
  let terms = 0;
  const ended = election.run(async (signal) => {
    terms += 1;
    if (terms > 1) {
      stop.abort();
      return;
    }
    // As a process that was frozen.
    const frozenUntil = performance.now() + 250;
    while (performance.now() < frozenUntil);
    assert.throws(() => election.check(), { code: "not-leading" });
    assert.equal(signal.aborted, true);
  }, stop.signal);
  await ended;
  assert.equal(terms, 2);
});

test("one that stands by says who has the lease when that changes, and not again", async () => {
  const server = new LeaseServer();
  const leaders = new Set<string>();
  const holders: unknown[] = [];
  const logger: Logger = {
    ...quiet,
    info: (fields, message) => {
      if (message === "election: another has the lease") holders.push(fields);
    },
  };
  server.lease = { metadata: { resourceVersion: "x" }, spec: { holderIdentity: "first" } };
  const a = contend(server, "a", leaders, { logger });
  await until("told", () => holders.length > 0);
  const { looks } = server;
  await until("looked again", () => server.looks > looks + 2);
  server.lease = { metadata: { resourceVersion: "y" }, spec: { holderIdentity: "second" } };
  await until("told again", () => holders.length > 1);
  await a.close();
  assert.deepEqual(holders, [
    { lease: "lease", holder: "first" },
    { lease: "lease", holder: "second" },
  ]);
});

test("a lease that another has taken ends the work", async () => {
  const server = new LeaseServer();
  const leaders = new Set<string>();
  const a = contend(server, "a", leaders);
  await until("a leads", () => leaders.has("a"));
  server.lease = { metadata: { resourceVersion: "x" }, spec: { holderIdentity: "somebody" } };
  await until("a has stopped", () => leaders.size === 0);
  await a.close();
  assert.equal(server.lease.spec.holderIdentity, "somebody", "not given back by who has it not");
});

test("a lease that somebody has deleted is made anew by who holds it, whose work goes on", async () => {
  const server = new LeaseServer();
  const leaders = new Set<string>();
  const complaints: string[] = [];
  const complain: Logger["error"] = (_, message) => complaints.push(message);
  const logger = { ...quiet, warn: complain, error: complain };
  const a = contend(server, "a", leaders, { logger });
  await until("a leads", () => leaders.has("a"));
  server.forget();
  await until("there is one again", () => server.lease !== undefined);
  assert.equal(server.lease?.spec.holderIdentity, "a");
  a.election.check();
  server.forget();
  await a.close();
  assert.deepEqual(complaints, []);
});

test("times that leave no room to stop are refused, in words that name the defaults too", () => {
  for (const [given, words] of [
    [{ leaseDurationMs: 10_000 }, "lease 10000, deadline 10000 and retry 2000 ms"],
    [{ renewDeadlineMs: 15_000 }, "lease 15000, deadline 15000 and retry 2000 ms"],
    [{ retryMs: 10_000 }, "lease 15000, deadline 10000 and retry 10000 ms"],
  ] as const) {
    const client = new LeaseServer().client("a");
    const names = { namespace: "ns", name: "lease", identity: "a" };
    assert.throws(() => new LeaderElection({ client, ...names, ...given, logger: quiet }), {
      code: "bad-access",
      message: `leader election with ${words}: each must be longer than the next`,
    });
  }
});
