/** One history: proxies and workers on a log, faults by chance, then peace, then the reckoning. */
import assert from "node:assert/strict";
import type { Frame } from "@kafkaproxy/wire";
import { testOptions } from "../test-harness.ts";
import { at, Broker } from "./broker.ts";
import { Clock } from "./clock.ts";
import { SimClient } from "./sim-client.ts";
import { largestBytes, sessionTimeoutMs, type SimOptions, SimProxy } from "./sim-proxy.ts";

export const faults = ["move", "join", "leave", "kill", "orphan", "cut", "freeze"] as const;
export type Fault = (typeof faults)[number];

export interface HistoryOptions extends SimOptions {
  /** What the broker takes. */
  readonly maxMetadataChars: number;
}

export interface Outcome {
  readonly deliveries: number;
  readonly duplicates: number;
  readonly deadLetters: number;
  readonly kills: number;
  readonly presented: number;
  readonly overflows: number;
  readonly blindTakeovers: number;
}

export class History {
  readonly #clock: Clock;
  readonly #broker = new Broker();
  readonly #proxies: SimProxy[] = [];
  readonly #clients: SimClient[] = [];
  readonly #options: SimOptions;
  /** Partitions on their way from one owner to the next. */
  readonly #moving = new Set<number>();
  #kills = 0;
  #cuts = 0;
  #freezes = 0;
  /** Takeovers from a crashed owner that left something out of its snapshot. */
  #blindTakeovers = 0;
  /** Last commits that failed: the next owner knows what it would know after a kill. */
  #brokenHandovers = 0;
  #names = 0;

  constructor(seed: number, options: Partial<HistoryOptions> = {}) {
    this.#clock = new Clock(seed);
    const clock = this.#clock;
    const { maxMetadataChars = clock.chance(0.4) ? clock.between(32, 200) : 4_096, ...rest } =
      options;
    // From then on it takes so little: at once, or after it has taken more.
    clock.after(clock.chance(0.5) ? 0 : clock.between(0, 20_000), () => {
      this.#broker.maxMetadataChars = maxMetadataChars;
    });
    this.#options = {
      commitFailures: clock.chance(0.3) ? 0.2 : 0,
      maxMessages: clock.between(20, 300),
      maxBytes: clock.chance(0.5) ? clock.between(5_000, 20_000) : 1e9,
      ...rest,
    };
    for (let partition = clock.between(1, 3); partition > 0; partition -= 1)
      this.#broker.addPartition();
    for (let proxies = clock.between(1, 3); proxies > 0; proxies -= 1) this.#start();
    for (let clients = clock.between(1, 4); clients > 0; clients -= 1) {
      this.#clients.push(new SimClient(`w${clients}`, clock, this.#broker));
    }
    for (const partition of this.#broker.logs.keys()) this.#give(partition);
  }

  run(allowed: readonly Fault[], faultCount: number): Outcome {
    const clock = this.#clock;
    const troubleEnds = clock.now + 25_000;
    for (let record = clock.between(50, 250); record > 0; record -= 1) {
      clock.after(clock.between(0, 20_000), () => {
        const partition = clock.between(0, this.#broker.logs.length - 1);
        this.#broker.produce(
          partition,
          clock.chance(0.1) ? clock.between(1, 30) : 0,
          clock.chance(0.04),
          clock.chance(0.05) ? clock.between(0, largestBytes) : clock.between(0, 200),
        );
      });
    }
    for (let left = faultCount; left > 0 && allowed.length > 0; left -= 1) {
      const fault = at(allowed, clock.between(0, allowed.length - 1));
      clock.after(clock.between(500, 20_000), () => this.#strike(fault));
    }
    this.#reconnect();
    while (clock.now < troubleEnds) clock.step();
    for (const client of this.#clients) client.calm = true;
    const end = clock.now + 600_000;
    while (clock.now < end && !this.#broker.done) clock.step();
    return this.#reckon();
  }

  #reckon(): Outcome {
    const outcome = { deliveries: 0, duplicates: 0, deadLetters: 0 };
    // What waited for the dead-letter topic and found no place in a snapshot begins again after a crash.
    const most =
      testOptions.maxDeliveries * (1 + this.#blindTakeovers) +
      this.#kills +
      this.#freezes +
      this.#brokenHandovers;
    for (const [name, fate] of this.#broker.fates) {
      assert.ok(fate.acked || fate.inDeadLetters, `${name} was never finished`);
      outcome.deliveries += fate.deliveries;
      outcome.duplicates += fate.duplicates;
      if (fate.inDeadLetters) outcome.deadLetters += 1;
      assert.ok(fate.deliveries <= most, `${name} was delivered ${fate.deliveries} times`);
    }
    const status = JSON.stringify(
      this.#proxies.map(({ dispatch }) => dispatch.partitions(this.#clock.now)),
    );
    assert.ok(this.#broker.done, `something stopped: ${status}`);
    const sum = (count: (proxy: SimProxy) => number): number =>
      this.#proxies.reduce((total, proxy) => total + count(proxy), 0);
    const overflows = sum(({ dispatch }) => dispatch.counters.snapshotOverflows);
    // Duplicates come from a frozen owner, a worker that could not be reached in time, or a crash of an owner whose
    // last snapshot did not hold all; never from what was orderly, and never from a kill alone.
    if (this.#undisturbed && this.#blindTakeovers === 0) {
      assert.equal(outcome.duplicates, 0, "duplicates");
    }
    return {
      ...outcome,
      kills: this.#kills,
      presented: sum(({ dispatch }) => dispatch.counters.presented),
      overflows,
      blindTakeovers: this.#blindTakeovers,
    };
  }

  /** Every owner knew what it did, and every worker could be reached: one holder, and no duplicates. */
  get #undisturbed(): boolean {
    return this.#freezes === 0 && this.#cuts === 0;
  }

  #start(): SimProxy {
    this.#names += 1;
    const proxy = new SimProxy(
      `p${this.#names}`,
      this.#clock,
      this.#broker,
      this.#options,
      (frame, by) => this.#sent(frame, by),
    );
    this.#proxies.push(proxy);
    for (const client of this.#clients) client.connect(proxy);
    return proxy;
  }

  get #serving(): SimProxy[] {
    return this.#proxies.filter(({ alive, frozen }) => alive && !frozen);
  }

  /** Hands a partition without an owner to one. */
  #give(partition: number, to = this.#pick()): void {
    this.#moving.delete(partition);
    if (to?.alive && !to.frozen) {
      const partial = this.#broker.partial(partition);
      if (partial.any) this.#blindTakeovers += 1;
      assert.ok(
        !partial.handedOver || this.#brokenHandovers > 0,
        `the overflow of ${partition} was forgotten before a commit replaced it`,
      );
      to.assign(partition);
    } else this.#clock.after(200, () => this.#give(partition));
  }

  #pick(): SimProxy | undefined {
    const serving = this.#serving;
    return serving[this.#clock.between(0, serving.length - 1)];
  }

  #move(partition: number, from: SimProxy, to?: SimProxy): void {
    // The group moves it from its owner, not from one that was frozen and does not know yet.
    const owner = this.#broker.owners[partition];
    if (this.#moving.has(partition) || owner !== from.name) return;
    this.#moving.add(partition);
    from.surrender(partition, (confirmed) => {
      if (!confirmed) this.#brokenHandovers += 1;
      this.#give(partition, to);
    });
  }

  #strike(fault: Fault): void {
    const clock = this.#clock;
    const proxy = this.#pick();
    if (proxy === undefined) return;
    const partitions = [...proxy.positions.keys()];
    if (fault === "join") {
      const joined = this.#start();
      for (const other of this.#serving) {
        for (const partition of other.positions.keys()) {
          if (clock.chance(0.5)) this.#move(partition, other, joined);
        }
      }
    } else if (fault === "move") {
      for (const partition of partitions) this.#move(partition, proxy);
    } else if (fault === "leave") {
      if (this.#serving.length < 2) return;
      const others = this.#serving.filter((other) => other !== proxy);
      for (const partition of partitions) {
        this.#move(partition, proxy, others[clock.between(0, others.length - 1)]);
      }
    } else if (fault === "kill") {
      this.#kill(proxy);
    } else if (fault === "orphan") {
      // A new owner dies while it takes over, or right after.
      const heir = this.#start();
      for (const partition of partitions) this.#move(partition, proxy, heir);
      clock.after(clock.between(5, 80), () => this.#kill(heir));
    } else if (fault === "cut") {
      this.#cuts += 1;
      for (const client of this.#clients) if (clock.chance(0.5)) client.cut(proxy);
    } else {
      this.#freezes += 1;
      proxy.frozen = true;
      const frozenMs = clock.between(500, 20_000);
      clock.after(frozenMs, () => proxy.thaw());
      if (frozenMs <= sessionTimeoutMs) return;
      clock.after(sessionTimeoutMs, () => this.#inherit(proxy, partitions));
    }
  }

  #kill(proxy: SimProxy): void {
    const clock = this.#clock;
    const partitions = [...proxy.positions.keys()];
    this.#kills += 1;
    proxy.kill();
    if (clock.chance(0.5)) this.#start();
    // A restarted pod comes back at once, another one takes over after the session time-out.
    const delayMs = clock.chance(0.5) ? clock.between(100, 2_000) : sessionTimeoutMs;
    clock.after(delayMs, () => this.#inherit(proxy, partitions));
  }

  #inherit(from: SimProxy, partitions: readonly number[]): void {
    if (this.#serving.length === 0) this.#start();
    for (const partition of partitions) {
      if (this.#broker.owners[partition] === from.name && !this.#moving.has(partition)) {
        this.#give(partition);
      }
    }
  }

  /** Workers come back to what they can reach. */
  #reconnect(): void {
    for (const client of this.#clients) {
      for (const proxy of this.#proxies) client.connect(proxy);
    }
    this.#clock.after(100, () => this.#reconnect());
  }

  /** Everything that a proxy says to a worker passes here. */
  #sent(frame: Frame, by: SimProxy): void {
    if (frame.type === "deliver") {
      for (const { partition, offset, attempt } of frame.records) {
        // Frozen and thawed too: the fence is closed before its first frame.
        assert.equal(this.#broker.owners[partition], by.name, `${by.name} is not the owner`);
        const fate = this.#broker.fate(partition, offset);
        fate.deliveries += 1;
        if (fate.acked) fate.duplicates += 1;
        assert.ok(
          attempt <= testOptions.maxDeliveries,
          `${partition}:${offset} attempt ${attempt}`,
        );
        if (!this.#undisturbed) continue;
        assert.equal(
          fate.workers.size,
          0,
          `${partition}:${offset} is held by ${[...fate.workers].join()}`,
        );
      }
    } else if (frame.type === "settled") {
      for (const { partition, first, last } of frame.ranges) {
        for (const offset of [first, last]) {
          assert.ok(
            this.#broker.isDurable(partition, offset),
            `${partition}:${offset} is not durable`,
          );
        }
      }
    }
  }
}
