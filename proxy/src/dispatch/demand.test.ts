import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pull } from "@kafkaproxy/wire";
import { frameBytes } from "@kafkaproxy/wire";
import * as fc from "fast-check";
import { Harness, record } from "./test-harness.ts";

function pull(requestId: number, fields: Partial<Pull> = {}): Pull {
  return {
    type: "pull",
    requestId,
    maxMessages: 10,
    maxBytes: 1e6,
    waitMs: 1_000,
    wait: "claim",
    offerId: 0,
    ...fields,
  };
}

test("a pull gets no more than it asks for, than the server allows, and than a frame holds", () => {
  const h = new Harness({ maxFrameBytes: 2_000 });
  const port = h.open("a");
  h.assign();
  const big = [0, 1, 2, 3].map((offset) => record(offset, 700));
  h.dispatch.admit(h.now, 0, big, 4);
  h.receive("a", pull(1));
  const [frame] = port.take("deliver");
  assert.equal(frame?.records.length, 2);
  assert.ok(frame && frameBytes(frame) <= 2_000);
  h.receive("a", pull(2, { maxBytes: 1 }));
  assert.equal(port.take("deliver")[0]?.records.length, 1, "one record comes whatever its size");
  h.admit(4, 50);
  h.receive("a", pull(3, { maxMessages: 50 }));
  assert.equal(port.take("deliver")[0]?.records.length, 10);
});

test("a claim that nothing answers ends empty after its wait, one without a wait at once", () => {
  const h = new Harness();
  const port = h.open("a");
  h.receive("a", pull(1, { waitMs: 0 }));
  assert.deepEqual(port.take("deliver"), [{ type: "deliver", requestId: 1, records: [] }]);
  h.receive("a", pull(2, { waitMs: 500 }));
  h.advance(499);
  assert.deepEqual(port.take("deliver"), []);
  h.advance(30);
  assert.deepEqual(port.take("deliver"), [{ type: "deliver", requestId: 2, records: [] }]);
});

test("who pipelines many claims waits for the others between them", () => {
  const h = new Harness();
  const greedy = h.open("greedy");
  const modest = h.open("modest");
  h.assign();
  for (let id = 1; id <= 20; id += 1) h.receive("greedy", pull(id, { maxMessages: 1 }));
  h.receive("modest", pull(99, { maxMessages: 1 }));
  h.admit(0, 1);
  assert.equal(greedy.take("deliver").length, 1);
  assert.equal(modest.take("deliver").length, 1);
});

test("a hot partition does not starve another", () => {
  const h = new Harness();
  h.open("a");
  h.assign(0);
  h.assign(1);
  h.admit(0, 299, 0);
  h.admit(0, 19, 1);
  const first = [...Array(4)].flatMap(() => h.pull("a"));
  assert.equal(first.filter(({ partition }) => partition === 1).length, 20);
});

test("an offer in silence goes to the next after 50 ms, and its records are kept until then", () => {
  const h = new Harness();
  const silent = h.open("silent");
  const awake = h.open("awake");
  h.assign();
  h.receive("silent", pull(1, { wait: "offer" }));
  h.receive("awake", pull(2, { wait: "offer" }));
  h.admit(0, 4);
  const [offer] = silent.take("available");
  assert.equal(offer?.count, 5);
  assert.deepEqual(awake.take("available"), []);
  h.advance(70);
  const [second] = awake.take("available");
  assert.equal(second?.count, 5);
  h.receive("silent", pull(3, { offerId: offer?.offerId ?? 0, waitMs: 0 }));
  assert.deepEqual(
    silent.take("deliver").map(({ records }) => records.length),
    [0, 0],
    "its offer has lapsed",
  );
  h.receive("awake", pull(4, { offerId: second?.offerId ?? 0 }));
  assert.equal(awake.take("deliver").at(-1)?.records.length, 5);
});

test("a declined offer goes to the next at once, and is answered by nothing", () => {
  const h = new Harness();
  const full = h.open("full");
  const free = h.open("free");
  h.assign();
  h.receive("full", pull(1, { wait: "offer" }));
  h.receive("free", pull(2, { wait: "offer" }));
  full.take("deliver");
  h.admit(0, 0);
  const [offer] = full.take("available");
  h.receive("full", pull(3, { maxMessages: 0, offerId: offer?.offerId ?? 0 }));
  assert.deepEqual(full.take("deliver"), []);
  assert.equal(free.take("available").length, 1);
});

test("push streams while credit lasts; what a revocation finds used is not taken back", () => {
  const h = new Harness();
  const port = h.open("a", "push");
  h.assign();
  h.receive("a", { type: "credit", requestId: 1, delta: 5 });
  h.admit(0, 2);
  assert.equal(port.take("deliver").flatMap(({ records }) => records).length, 3);
  h.receive("a", { type: "credit", requestId: 2, delta: -4 });
  assert.deepEqual(port.take("credit"), [{ type: "credit", requestId: 2, delta: -2 }]);
  h.admit(3, 9);
  assert.deepEqual(port.take("deliver"), []);
  h.receive("a", { type: "credit", requestId: 3, delta: 1_500 });
  assert.deepEqual(port.take("credit"), [{ type: "credit", requestId: 3, delta: -500 }]);
});

test("nothing is delivered to a port that cannot be written, nor while delivery is off", () => {
  const h = new Harness();
  const port = h.open("a");
  h.assign();
  port.writable = false;
  h.receive("a", pull(1));
  h.admit(0, 0);
  assert.deepEqual(port.take("deliver"), []);
  h.dispatch.setDelivering(h.now, false);
  port.writable = true;
  h.dispatch.writable(h.now, "a");
  assert.deepEqual(port.take("deliver"), []);
  h.dispatch.setDelivering(h.now, true);
  assert.equal(port.take("deliver")[0]?.records.length, 1);
});

test("with demand and a ready record something is delivered or offered, whatever came before", () => {
  const names = ["a", "b", "c"] as const;
  const step = fc.record({
    op: fc.constantFrom(
      "claim",
      "claim",
      "offer",
      "accept",
      "decline",
      "credit",
      "revoke",
      "writable",
      "blocked",
      "detach",
      "ack",
      "nack",
      "admit",
      "commit",
      "wait",
      "off",
      "on",
    ),
    who: fc.constantFrom(...names),
    amount: fc.nat(12),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const h = new Harness({ pull: { maxMessages: 4, maxBytes: 1e6, maxWaitMs: 500 } });
      h.assign(0);
      h.assign(1);
      const sessions = new Map(
        names.map((name) => [
          name,
          {
            port: h.open(name),
            claims: new Set<number>(),
            offers: new Map<number, { count: number; until: number }>(),
            watchesUntil: 0,
            asked: new Map<number, number>(),
            held: [] as { partition: number; offset: number; attempt: number }[],
          },
        ]),
      );
      let delivering = true;
      let requestId = 0;
      const next = [0, 0];
      const hear = (): void => {
        for (const session of sessions.values()) {
          for (const frame of session.port.frames.splice(0)) {
            if (frame.type === "deliver") {
              assert.ok(frame.records.length <= (frame.requestId === 0 ? 64 : 4));
              if (frame.requestId !== 0) session.claims.delete(frame.requestId);
              const until = session.asked.get(frame.requestId) ?? 0;
              // Only what was answered empty is on the list.
              if (frame.records.length === 0 && until > session.watchesUntil) {
                session.watchesUntil = until;
              }
              session.held.push(...frame.records);
            } else if (frame.type === "available") {
              const promised = [...sessions.values()]
                .flatMap(({ offers }) => [...offers.values()])
                .filter(({ until }) => until > h.now)
                .reduce((sum, { count }) => sum + count, 0);
              assert.ok(promised + frame.count <= h.dispatch.ready, "offers exceed what is ready");
              session.offers.set(frame.offerId, { count: frame.count, until: h.now + 50 });
            }
          }
        }
      };
      for (const { op, who, amount } of steps) {
        const session = sessions.get(who);
        assert.ok(session);
        requestId += 1;
        const [offer] = session.offers.keys();
        if (op === "claim" || op === "offer") {
          session.claims.add(requestId);
          if (op === "offer") session.asked.set(requestId, h.now + Math.min(500, amount * 100));
          h.receive(
            who,
            pull(requestId, { wait: op, maxMessages: amount + 1, waitMs: amount * 100 }),
          );
        } else if (op === "accept" || op === "decline") {
          if (offer === undefined) continue;
          session.offers.delete(offer);
          session.watchesUntil = 0;
          const maxMessages = op === "accept" ? amount + 1 : 0;
          if (op === "accept") session.claims.add(requestId);
          h.receive(who, pull(requestId, { offerId: offer, maxMessages, waitMs: 0 }));
        } else if (op === "credit" || op === "revoke") {
          h.receive(who, { type: "credit", requestId, delta: op === "credit" ? amount : -amount });
        } else if (op === "writable" || op === "blocked") {
          session.port.writable = op === "writable";
          if (op === "writable") h.dispatch.writable(h.now, who);
        } else if (op === "detach") {
          h.dispatch.detach(h.now, who, session.port);
          session.claims.clear();
          session.offers.clear();
          session.watchesUntil = 0;
          session.held = [];
          if (!h.dispatch.resume(h.now, who, session.port)) h.open(who);
        } else if (op === "ack" || op === "nack") {
          const held = session.held.pop();
          if (held === undefined) continue;
          if (op === "ack") h.ack(who, held.offset, held.offset, held.partition);
          else h.receive(who, { type: "nack", record: held, delayMs: amount, reason: "" });
        } else if (op === "admit") {
          const partition = amount % 2;
          const from = next[partition] ?? 0;
          h.admit(from, from + amount, partition);
          next[partition] = from + amount + 1;
        } else if (op === "commit") h.commit();
        else if (op === "wait") {
          for (let ms = amount * 40; ms > 0; ms -= 1) {
            h.advance(1);
            hear();
          }
        } else {
          delivering = op === "on";
          h.dispatch.setDelivering(h.now, delivering);
        }
        hear();
        const promised = [...sessions.values()]
          .flatMap(({ offers }) => [...offers.values()])
          .reduce((sum, { count, until }) => (until + 16 >= h.now ? sum + count : sum), 0);
        if (!delivering || h.dispatch.ready <= promised) continue;
        for (const [name, { claims, port, watchesUntil, offers }] of sessions) {
          if (!port.writable) continue;
          assert.equal(claims.size, 0, `${name} waits though something is ready`);
          const watches = watchesUntil > h.now && offers.size === 0;
          assert.ok(!watches, `${name} is not told that something is ready`);
        }
        const credits = h.dispatch.sessions(h.now).map(({ credit }) => credit);
        assert.ok(credits.every((credit) => credit >= 0));
      }
    }),
    { numRuns: 400 },
  );
});
