// Against a real ZooKeeper, with a relay in front of it for the faults of a network.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Relay,
  startRelay,
  startZooKeeper,
  type ZooKeeperServer,
} from "../../test/servers/index.ts";
import { type SessionState, ZooKeeperSession, type ZooKeeperSessionOptions } from "./index.ts";

let server: ZooKeeperServer;
let relay: Relay;
let observer: ZooKeeperSession;
const opened: ZooKeeperSession[] = [];

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 40_000;
  while (!(await condition())) {
    if (performance.now() > deadline) assert.fail(`not in time: ${what}`);
    await sleep(20);
  }
}

/** Through the relay unless told otherwise; with sessions of a second, so that they expire soon. */
function open(options: Partial<ZooKeeperSessionOptions> = {}): ZooKeeperSession {
  const session = new ZooKeeperSession({
    servers: relay.address,
    sessionTimeoutMs: 1_000,
    operationTimeoutMs: 20_000,
    ...options,
  });
  opened.push(session);
  session.start();
  return session;
}

/** By event: a reconnect may be quicker than any poll. */
function suspended(session: ZooKeeperSession): Promise<void> {
  return new Promise((resolve) => {
    const end = session.onState((state) => {
      if (state !== "suspended") return;
      end();
      resolve();
    });
  });
}

const bytes = (text: string) => Buffer.from(text);
const auth = (credentials: string) => ({ auth: { scheme: "digest" as const, credentials } });
const textOf = (children: ReadonlyMap<string, Buffer> | undefined) =>
  children && Object.fromEntries([...children].map(([name, data]) => [name, data.toString()]));

describe("a session", () => {
  before(async () => {
    server = await startZooKeeper();
    relay = await startRelay(server.connectString);
    observer = open({ servers: server.connectString, sessionTimeoutMs: 30_000 });
  });
  after(async () => {
    await Promise.all(opened.map((session) => session.close()));
    await relay.close();
    await server.stop();
  });

  it("reads and writes nodes", async () => {
    const s = observer;
    assert.equal(await s.get("/ops"), undefined);
    assert.equal(await s.children("/ops"), undefined);
    await assert.rejects(s.create("/ops/a/b"), { code: "no-node" });
    assert.equal(await s.create("/ops/a/b", bytes("1"), { parents: true }), "created");
    assert.equal(await s.create("/ops/a/b", bytes("2"), { parents: true }), "exists");
    const node = (await s.get("/ops/a/b"))!;
    assert.deepEqual(
      { ...node, ctimeMs: 0, mtimeMs: 0 },
      { data: bytes("1"), version: 0, ctimeMs: 0, mtimeMs: 0, numChildren: 0, ephemeral: false },
    );
    assert.ok(Math.abs(node.ctimeMs - Date.now()) < 60_000);
    assert.equal(await s.set("/ops/a/b", bytes("3"), { version: 0 }), true);
    await assert.rejects(s.set("/ops/a/b", bytes("4"), { version: 0 }), { code: "bad-version" });
    assert.equal(await s.set("/ops/none", bytes("4")), false);
    await s.put("/ops/a/b", Buffer.from([0, 255]));
    await s.put("/ops/c/d", Buffer.alloc(0));
    assert.deepEqual((await s.get("/ops/a/b"))!.data, Buffer.from([0, 255]));
    assert.deepEqual((await s.get("/ops/c/d"))!.data, Buffer.alloc(0));
    assert.deepEqual(new Set(await s.children("/ops")), new Set(["a", "c"]));
    await assert.rejects(s.remove("/ops/a"), { code: "not-empty" });
    await assert.rejects(s.remove("/ops/a/b", { version: 0 }), { code: "bad-version" });
    assert.equal(await s.remove("/ops/a/b"), true);
    assert.equal(await s.remove("/ops/a/b"), false);
    assert.equal(await s.removeTree("/ops"), true);
    assert.equal(await s.removeTree("/ops"), false);
    await assert.rejects(s.get("ops"), { code: "bad-arguments" });
    await assert.rejects(s.put("/big", Buffer.alloc((1 << 20) + 1)), { code: "bad-arguments" });
  });

  it("has thousands of operations under way at once, and lists 10,000 children", async () => {
    const made = Array.from({ length: 10_000 }, (_, i) =>
      observer.create(`/many/${i}`, bytes(String(i)), { parents: true }),
    );
    assert.ok((await Promise.all(made)).every((result) => result === "created"));
    assert.equal((await observer.children("/many"))!.length, 10_000);
    assert.equal((await observer.get("/many/9999"))!.data.toString(), "9999");
    await observer.removeTree("/many");
  });

  it("takes two puts of one node at once, and a create that races", async () => {
    const results = await Promise.all([
      observer.create("/race/deep/er/a", bytes("1"), { parents: true }),
      observer.create("/race/deep/er/a", bytes("2"), { parents: true }),
      observer.put("/race/deep/er/b", bytes("1")),
      observer.put("/race/deep/er/b", bytes("2")),
    ]);
    assert.deepEqual(new Set(results.slice(0, 2)), new Set(["created", "exists"]));
  });

  it("goes on after the connection was cut in the middle of a frame", async () => {
    const s = open();
    await s.put("/cut", Buffer.alloc(500_000, "x"));
    for (const inside of [1, 3, 21, 300_000]) {
      relay.cutAfter(inside);
      assert.equal((await s.get("/cut"))!.data.length, 500_000);
    }
    assert.equal(await s.set("/cut", bytes("after")), true);
    await s.close();
  });

  it("says what may have been carried out when it can't be repeated", async () => {
    const s = open();
    await s.put("/versioned", bytes("a"));
    relay.stall();
    const asked = s.set("/versioned", bytes("b"), { version: 0 });
    await assert.rejects(asked, { code: "unavailable", message: /set \/versioned/ });
    relay.restore();
    await s.close();
  });

  it("notices a server that has gone silent, and comes back by itself", async () => {
    const s = open({ sessionTimeoutMs: 2_000 });
    await s.connected();
    relay.stall();
    await until("suspended", () => s.state === "suspended");
    relay.restore();
    await s.connected();
    await s.close();
  });

  it("notices a frozen server, also while it connects", async () => {
    const s = open({ servers: server.connectString, sessionTimeoutMs: 1_500 });
    await s.connected();
    server.freeze();
    await until("suspended", () => s.state === "suspended");
    const late = open({ servers: server.connectString, operationTimeoutMs: 300 });
    await assert.rejects(late.get("/a"), { code: "unavailable" });
    server.thaw();
    await Promise.all([s.connected(), late.connected()]);
    await Promise.all([s.close(), late.close()]);
  });

  it("lets operations wait for a connection, and fails them after operationTimeoutMs", async () => {
    relay.refuse();
    const impatient = open({ operationTimeoutMs: 200 });
    await assert.rejects(impatient.get("/a"), { code: "unavailable", message: /get \/a.*200 ms/ });
    await assert.rejects(impatient.connected({ timeoutMs: 50 }), { code: "unavailable" });
    const reason = new Error("enough");
    await assert.rejects(impatient.connected({ signal: AbortSignal.abort(reason) }), reason);
    const patient = open();
    const asked = patient.put("/waited", bytes("for"));
    await sleep(100);
    relay.restore();
    await asked;
    assert.equal((await observer.get("/waited"))!.data.toString(), "for");
    await Promise.all([impatient.close(), patient.close()]);
  });

  it("is closed for good: idempotent, and everything that waits or comes is rejected", async () => {
    relay.refuse();
    const s = open();
    const waiting = [s.connected(), s.get("/a")].map((asked) =>
      assert.rejects(asked, { code: "closed" }),
    );
    await Promise.all([s.close(), s.close()]);
    await Promise.all(waiting);
    relay.restore();
    assert.equal(s.state, "closed");
    await assert.rejects(s.get("/a"), { code: "closed" });
    assert.throws(() => s.holdEphemeral("/a", bytes("")), { code: "closed" });
    s.start();
    assert.equal(s.state, "closed");
  });

  it("after expiry makes another session: ephemerals and watches are back before it says so", async () => {
    const s = open();
    const seen: (Record<string, string> | undefined)[] = [];
    const node = s.holdEphemeral("/expiry/nodes/mine", () => bytes("me"));
    const watch = s.watchChildren("/expiry/nodes", (children) => seen.push(textOf(children)));
    await until("seen", () => textOf(watch.children)?.["mine"] === "me");
    const states: [SessionState, boolean][] = [];
    s.onState((state) => states.push([state, node.present]));
    relay.refuse();
    await until("expired", async () => (await observer.get("/expiry/nodes/mine")) === undefined);
    await observer.put("/expiry/nodes/other", bytes("new"));
    let presentAtConnected: Promise<boolean> | undefined;
    s.onState((state) => {
      if (state !== "connected") return;
      presentAtConnected = observer.get("/expiry/nodes/mine").then((found) => found !== undefined);
    });
    relay.restore();
    await s.connected();
    assert.equal(await presentAtConnected, true);
    assert.deepEqual(states, [
      ["suspended", true],
      ["connected", true],
    ]);
    assert.deepEqual(textOf(watch.children), { mine: "me", other: "new" });
    assert.deepEqual(
      seen.filter((children) => children!["mine"] === undefined),
      seen.slice(0, 1).filter((children) => children!["mine"] === undefined),
      "an outage has emptied the watch",
    );
    await observer.put("/expiry/nodes/third", bytes("3"));
    await until("third", () => watch.children!.has("third"));
    await s.close();
    await until("gone", async () => (await observer.get("/expiry/nodes/mine")) === undefined);
  });

  it("shows children that an outage took with it until they had time to come back", async () => {
    const there = open({ servers: server.connectString });
    const node = there.holdEphemeral("/settle/a", bytes("1"));
    await until("a", () => node.present);
    const s = open();
    const seen: (Record<string, string> | undefined)[] = [];
    const watch = s.watchChildren("/settle", (children) => seen.push(textOf(children)), {
      settleMs: 1_000,
    });
    await until("seen", () => watch.children?.has("a") === true);
    relay.refuse();
    await until("suspended", () => s.state === "suspended");
    await node.close();
    relay.restore();
    await s.connected();
    assert.deepEqual(textOf(watch.children), { a: "1" });
    await until("the removal counts", () => watch.children!.size === 0);
    assert.deepEqual(seen.slice(-2), [{ a: "1" }, {}]);
    await Promise.all([s.close(), there.close()]);
  });

  it("survives a server that is killed and started again", async () => {
    const s = open({ servers: server.connectString, sessionTimeoutMs: 20_000 });
    const sizes: number[] = [];
    const node = s.holdEphemeral("/restart/me", bytes("1"));
    await until("present", () => node.present);
    const watch = s.watchChildren("/restart", (children) => sizes.push(children.size));
    await until("seen", () => watch.children?.size === 1);
    await server.kill();
    await until("suspended", () => s.state === "suspended");
    await server.start();
    await s.connected();
    assert.equal((await observer.get("/restart/me"))!.ephemeral, true);
    assert.deepEqual(sizes, [1]);
    await observer.put("/restart/other", bytes("2"));
    await until("followed", () => watch.children!.size === 2);
    await s.close();
  });

  it("takes its node over from an earlier session of the same name, which does not fight back", async () => {
    const first = open({ sessionTimeoutMs: 20_000 });
    const old = first.holdEphemeral("/names/pod-0", bytes("old"));
    await until("old", () => old.present);
    const sizes: number[] = [];
    const watch = observer.watchChildren("/names", (children) => sizes.push(children.size));
    await until("watched", () => watch.children?.size === 1);
    const second = open({ sessionTimeoutMs: 20_000 });
    const fresh = second.holdEphemeral("/names/pod-0", bytes("new"));
    await until("taken over", () => fresh.present && !old.present);
    await until("seen", () => textOf(watch.children)!["pod-0"] === "new");
    assert.ok(!sizes.includes(0), "the node was missing for a moment");
    // A node is there a moment before its session says that it is connected, and only a connected one is suspended.
    await Promise.all([first.connected(), second.connected()]);
    const bothKnow = Promise.all([suspended(first), suspended(second)]);
    relay.cut();
    await bothKnow;
    await Promise.all([first.connected(), second.connected()]);
    assert.equal((await observer.get("/names/pod-0"))!.data.toString(), "new");
    await second.close();
    await until("taken back", () => old.present);
    assert.equal((await observer.get("/names/pod-0"))!.data.toString(), "old");
    watch.close();
    await first.close();
  });

  it("ends its session at the server also when it is closed while it reconnects", async () => {
    const s = open({ sessionTimeoutMs: 50_000 });
    const node = s.holdEphemeral("/reconnecting", bytes("1"));
    await until("present", () => node.present);
    await s.connected();
    const known = suspended(s);
    relay.cut();
    await known;
    await s.close();
    await until("gone", async () => (await observer.get("/reconnecting")) === undefined);
  });

  it("holds a node against removal, keeps its data up to date, and lets it go", async () => {
    const s = open();
    const changes: boolean[] = [];
    const node = s.holdEphemeral("/held", bytes("1"));
    node.onChange((present) => changes.push(present));
    await until("present", () => node.present);
    await observer.remove("/held");
    await until("back", async () => (await observer.get("/held"))?.ephemeral === true);
    node.update(bytes("2"));
    await until("updated", async () => (await observer.get("/held"))!.data.toString() === "2");
    await node.close();
    assert.equal(await observer.get("/held"), undefined);
    assert.deepEqual(changes, [true, false]);
    await s.close();
  });

  it("removes a node that was let go in an outage as soon as it is over", async () => {
    const s = open({ sessionTimeoutMs: 30_000 });
    const node = s.holdEphemeral("/let-go", bytes("1"));
    await until("present", () => node.present);
    relay.refuse();
    await until("suspended", () => s.state === "suspended");
    await node.close();
    relay.restore();
    await s.connected();
    await until("gone", async () => (await observer.get("/let-go")) === undefined);
    await s.close();
  });

  it("follows children: a node made later, names, data, and the node going and coming", async () => {
    const s = open({ servers: server.connectString });
    const seen: (Record<string, string> | undefined)[] = [];
    const watch = s.watchChildren("/later/on", (children) => seen.push(textOf(children)));
    await until("empty", () => seen.length === 1);
    assert.deepEqual(seen, [{}]);
    const steps: [() => Promise<unknown>, Record<string, string>][] = [
      [() => observer.create("/later/on", bytes(""), { parents: true }), {}],
      [() => observer.create("/later/on/a", bytes("1")), { a: "1" }],
      [() => observer.set("/later/on/a", bytes("2")), { a: "2" }],
      [() => observer.create("/later/on/b", bytes("")), { a: "2", b: "" }],
      [() => observer.set("/later/on/a", bytes("3")), { a: "3", b: "" }],
      [() => observer.remove("/later/on/b"), { a: "3" }],
      [() => observer.removeTree("/later"), {}],
      [() => observer.put("/later/on/c", bytes("4")), { c: "4" }],
    ];
    for (const [step, expected] of steps) {
      await step();
      await until(JSON.stringify(expected), () => {
        try {
          assert.deepEqual(textOf(watch.children), expected);
          return true;
        } catch {
          return false; // not there yet
        }
      });
    }
    const before = seen.length;
    watch.close();
    await observer.put("/later/on/d", bytes("5"));
    await sleep(100);
    assert.equal(seen.length, before);
    await s.close();
  });

  it("makes nodes that only its user may touch when it has credentials", async () => {
    const mine = open(auth("me:secret"));
    await mine.put("/private/a", bytes("1"));
    await assert.rejects(observer.get("/private/a"), { code: "auth" });
    const thief = open(auth("me:wrong"));
    await assert.rejects(thief.set("/private/a", bytes("2")), { code: "auth" });
    const known = suspended(mine);
    relay.cut();
    await known;
    assert.equal((await mine.get("/private/a"))!.data.toString(), "1");
    const again = open(auth("me:secret"));
    assert.equal(await again.removeTree("/private"), true);
    await Promise.all([mine.close(), thief.close(), again.close()]);
  });
});

it("arguments that can't work are refused at once", () => {
  assert.throws(() => new ZooKeeperSession({ servers: "a:1/chroot" }), { code: "bad-arguments" });
  const options = { servers: "a:1", sessionTimeoutMs: 0 };
  assert.throws(() => new ZooKeeperSession(options), { code: "bad-arguments", message: /found 0/ });
});
