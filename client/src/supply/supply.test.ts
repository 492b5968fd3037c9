import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultLimits, type Delivery, type Frame } from "@kafkaproxy/wire";
import * as fc from "fast-check";
import { PullSupply } from "./pull-supply.ts";
import { PushSupply } from "./push-supply.ts";
import type { Source, Supply, Taker } from "./supply.ts";

/** Small and seeded: one number is a whole history. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** One proxy with some ready records, and a connection on which frames take their time, in order. */
class ModelProxy implements Source {
  up = true;
  gone = false;
  limits = defaultLimits;
  asking = true;
  ready = 0;
  credit = 0;
  waiting = false;
  readonly toProxy: Frame[] = [];
  readonly toClient: Frame[] = [];
  readonly #push: boolean;

  constructor(push: boolean) {
    this.#push = push;
  }

  send(frame: Frame): void {
    this.toProxy.push(frame);
  }

  receive(frame: Frame): void {
    if (frame.type === "pull" && frame.maxMessages > 0) {
      const count = Math.min(this.ready, frame.maxMessages);
      this.ready -= count;
      this.waiting = count === 0;
      this.#deliver(frame.requestId, count);
    } else if (frame.type === "credit") {
      if (frame.delta > 0) this.credit += frame.delta;
      else {
        const taken = Math.min(this.credit, -frame.delta);
        this.credit -= taken;
        this.toClient.push({ ...frame, delta: -taken });
      }
    }
    this.act();
  }

  act(): void {
    if (this.#push) {
      const count = Math.min(this.ready, this.credit);
      this.ready -= count;
      this.credit -= count;
      if (count > 0) this.#deliver(0, count);
    } else if (this.waiting && this.ready > 0) {
      this.waiting = false;
      this.toClient.push({ type: "available", offerId: 1, count: this.ready });
    }
  }

  #deliver(requestId: number, count: number): void {
    // Only the number of records matters here.
    this.toClient.push({
      type: "deliver",
      requestId,
      records: Array.from({ length: count }, () => ({}) as Delivery),
    });
  }
}

class ModelTaker implements Taker {
  readonly maxBytes = 1_000;
  readonly serial = false;
  readonly batch: number;
  readonly slots: number;
  readonly prefetch: number;
  used = 0;
  done = 0;

  constructor(slots: number, prefetch: number) {
    this.slots = slots;
    this.prefetch = prefetch;
    this.batch = Math.max(1, prefetch >> 1);
  }

  get capacity(): number {
    return this.slots + this.prefetch;
  }

  get idle(): boolean {
    return this.used < this.slots;
  }
}

function run(push: boolean, supply: Supply, plan: Plan): void {
  const random = randomFrom(plan.seed);
  const proxies = Array.from({ length: plan.proxies }, () => new ModelProxy(push));
  const taker = new ModelTaker(plan.slots, plan.prefetch);
  supply.addTaker(taker);
  for (const proxy of proxies) supply.up(0, proxy);
  let now = 0;
  let produced = 0;
  const toProduce = plan.records;
  // Bounded: what needs more steps than this has stopped for good.
  for (let step = 0; step < 200_000 && taker.done < toProduce; step++) {
    const proxy = proxies[Math.floor(random() * proxies.length)]!;
    switch (Math.floor(random() * 6)) {
      case 0: {
        const busy = random() < 0.7 ? proxies[0]! : proxy;
        const count = Math.min(toProduce - produced, Math.ceil(random() * 30));
        busy.ready += count;
        produced += count;
        busy.act();
        break;
      }
      case 1:
      case 2: {
        const frame = proxy.toProxy.shift();
        if (frame !== undefined) proxy.receive(frame);
        break;
      }
      case 3: {
        const frame = proxy.toClient.shift();
        if (frame?.type === "deliver") {
          const count = frame.records.length;
          const to = supply.delivered(now, proxy, frame.requestId, count);
          assert.equal(to, taker);
          taker.used += count;
        } else if (frame?.type === "available") supply.available(now, proxy, frame);
        else if (frame?.type === "credit") supply.credit(now, proxy, frame);
        break;
      }
      case 4:
        if (taker.used > 0) {
          const count = Math.ceil(random() * Math.min(taker.used, taker.slots));
          taker.used -= count;
          taker.done += count;
        }
        break;
      default:
        now += random() * 40;
        supply.pump(now);
    }
    const underWay = proxies.reduce(
      (sum, { toClient }) =>
        sum +
        toClient.reduce(
          (count, frame) => count + (frame.type === "deliver" ? frame.records.length : 0),
          0,
        ),
      0,
    );
    assert.ok(
      taker.used + underWay <= taker.capacity,
      `${taker.used} in hand and ${underWay} under way with room for ${taker.capacity}`,
    );
  }
  assert.equal(taker.done, toProduce, "it stopped while there were records and room");
}

interface Plan {
  readonly seed: number;
  readonly proxies: number;
  readonly slots: number;
  readonly prefetch: number;
  readonly records: number;
}

const plans = fc.record({
  seed: fc.nat({ max: 2 ** 32 - 1 }),
  proxies: fc.integer({ min: 1, max: 6 }),
  slots: fc.integer({ min: 1, max: 40 }),
  prefetch: fc.integer({ min: 0, max: 20 }),
  records: fc.integer({ min: 1, max: 300 }),
});

for (const push of [false, true]) {
  test(`${push ? "push" : "pull"}: never more than there is room for, and never a stop, whatever the order of events`, () => {
    fc.assert(
      fc.property(plans, (plan) => run(push, push ? new PushSupply() : new PullSupply(), plan)),
      { numRuns: 300 },
    );
  });
}

test("pull: an idle proxy is asked once and holds no slot; an offer without room is declined at once", () => {
  const supply = new PullSupply();
  const [idle, busy] = [new ModelProxy(false), new ModelProxy(false)];
  const taker = new ModelTaker(4, 0);
  supply.addTaker(taker);
  supply.up(0, idle);
  supply.up(0, busy);
  supply.pump(0);
  for (const proxy of [idle, busy]) {
    const [pull] = proxy.toProxy.splice(0);
    assert.ok(pull?.type === "pull" && pull.wait === "offer");
    assert.equal(supply.delivered(0, proxy, pull.requestId, 0), taker);
  }
  assert.equal(supply.outstanding(taker), 0);
  supply.available(1, busy, { type: "available", offerId: 7, count: 9 });
  const [taking] = busy.toProxy.splice(0);
  assert.ok(taking?.type === "pull" && taking.maxMessages === 4 && taking.offerId === 7);
  supply.available(1, idle, { type: "available", offerId: 8, count: 1 });
  const [declining] = idle.toProxy.splice(0);
  assert.ok(declining?.type === "pull" && declining.maxMessages === 0 && declining.offerId === 8);
});

test("push: a proxy that takes no more credit is not asked again and again, and gets more when it has used some", () => {
  const supply = new PushSupply();
  const taker = new ModelTaker(50, 50);
  const proxy = new ModelProxy(true);
  const maxCredit = 30;
  supply.addTaker(taker);
  supply.up(0, proxy);
  /** As a proxy with that limit answers a grant. */
  const answer = (now: number): number => {
    const frames = proxy.toProxy.splice(0);
    for (const frame of frames) {
      assert.ok(frame.type === "credit" && frame.delta > 0);
      const { requestId, delta } = frame;
      const refused = Math.min(maxCredit, proxy.credit + delta) - (proxy.credit + delta);
      proxy.credit += delta + refused;
      if (refused < 0) supply.credit(now, proxy, { type: "credit", requestId, delta: refused });
    }
    return frames.length;
  };
  supply.pump(0);
  let grants = 0;
  for (let now = 0; now < 100; now += 1) grants += answer(now);
  assert.equal(grants, 1);
  assert.equal(supply.granted, maxCredit);
  proxy.credit -= 20;
  supply.delivered(100, proxy, 0, 20);
  taker.used += 20;
  supply.pump(100);
  assert.equal(answer(100), 1);
  assert.equal(supply.granted, maxCredit);
});

test("a lost connection gives the room of its requests back", () => {
  const supply = new PullSupply();
  const proxy = new ModelProxy(false);
  const taker = new ModelTaker(4, 0);
  supply.addTaker(taker);
  supply.up(0, proxy);
  supply.pump(0);
  assert.equal(supply.outstanding(taker), 4);
  supply.down(0, proxy);
  assert.equal(supply.outstanding(taker), 0);
});

for (const { proxies: count, slots, prefetch, busyOnes } of [
  { proxies: 4, slots: 1, prefetch: 0, busyOnes: 1 },
  { proxies: 10, slots: 1, prefetch: 1, busyOnes: 1 },
  { proxies: 20, slots: 5, prefetch: 5, busyOnes: 1 },
  { proxies: 30, slots: 2, prefetch: 2, busyOnes: 2 },
  { proxies: 3, slots: 20, prefetch: 0, busyOnes: 1 },
]) {
  test(`push: ${busyOnes} busy of ${count} proxies fill ${slots} slots, and an idle one is not forgotten`, () => {
    const [workMs, totalMs] = [20, 10_000];
    const supply = new PushSupply();
    const proxies = Array.from({ length: count }, () => new ModelProxy(true));
    const taker = new ModelTaker(slots, prefetch);
    supply.addTaker(taker);
    for (const proxy of proxies) supply.up(0, proxy);
    const ends: number[] = [];
    let served: number | undefined;
    // A frame takes a millisecond each way; credit is looked at after each event, and every 100 ms.
    for (let now = 0; now < totalMs; now++) {
      let pump = now % 100 === 0;
      for (const [index, proxy] of proxies.entries()) {
        if (index < busyOnes) proxy.ready = 100;
        else if (index === count - 1 && now === totalMs / 2) proxy.ready = 1;
        const arrived = proxy.toClient.splice(0);
        for (const frame of proxy.toProxy.splice(0)) proxy.receive(frame);
        proxy.act();
        for (const frame of arrived) {
          pump = true;
          if (frame.type === "credit") supply.credit(now, proxy, frame);
          if (frame.type !== "deliver") continue;
          assert.equal(supply.delivered(now, proxy, 0, frame.records.length), taker);
          taker.used += frame.records.length;
          if (index >= busyOnes) served ??= now;
        }
      }
      while (ends[0] === now) {
        pump = true;
        ends.shift();
        taker.used -= 1;
        taker.done += 1;
      }
      while (ends.length < Math.min(taker.used, slots)) ends.push(now + workMs);
      if (pump) supply.pump(now);
    }
    const most = (slots * totalMs) / workMs;
    assert.ok(taker.done > 0.6 * most, `${taker.done} of ${most}`);
    assert.ok(served !== undefined, "the idle one's message was never fetched");
  });
}
