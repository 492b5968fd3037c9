/** One worker process: takes records from every proxy, works on them for a while, answers, and brings to a new owner what the old one had. */
import type { Frame, PresentedRecord, RecordRef } from "@kafkaproxy/wire";
import type { Broker } from "./broker.ts";
import type { Clock } from "./clock.ts";
import type { Connection, Peer, SimProxy } from "./sim-proxy.ts";

interface Held {
  readonly name: RecordRef;
  /** Hung: neither renewed nor answered. */
  readonly hung: boolean;
}

class Link implements Peer {
  readonly proxy: SimProxy;
  readonly #client: SimClient;
  connection: Connection | undefined;
  sessionId = "";
  owned = new Set<number>();

  constructor(client: SimClient, proxy: SimProxy) {
    this.#client = client;
    this.proxy = proxy;
  }

  received(frame: Frame): void {
    this.#client.received(this, frame);
  }

  dropped(): void {
    this.connection = undefined;
    this.owned = new Set();
  }
}

export class SimClient {
  readonly name: string;
  readonly #clock: Clock;
  readonly #broker: Broker;
  readonly #links = new Map<SimProxy, Link>();
  readonly #owners = new Map<number, Link>();
  readonly #held = new Map<string, Held>();
  /** Acks that no `settled` has answered. */
  readonly #unsettled = new Map<number, Set<number>>();
  readonly #slots: number;
  readonly #push: boolean;
  /** Share of deliveries that get each answer. */
  readonly #moods: { nack: number; reject: number; hang: number; release: number; late: number };
  #requestId = 0;
  /** No more mischief: everything is answered with an ack. */
  calm = false;

  constructor(name: string, clock: Clock, broker: Broker) {
    this.name = name;
    this.#clock = clock;
    this.#broker = broker;
    this.#slots = clock.between(2, 12);
    this.#push = clock.chance(0.3);
    const rate = (): number => (clock.chance(0.5) ? 0 : clock.random() * 0.1);
    this.#moods = { nack: rate(), reject: rate() / 4, hang: rate(), release: rate(), late: rate() };
    this.#loop(clock.between(20, 60), () => this.#ask());
    this.#loop(1_000, () => this.#renew());
  }

  /** Connects to `proxy`, or comes back to it. */
  connect(proxy: SimProxy): void {
    if (!proxy.alive || proxy.frozen) return;
    const link = this.#links.get(proxy) ?? new Link(this, proxy);
    this.#links.set(proxy, link);
    if (link.connection !== undefined) return;
    const { connection, resumed } = proxy.connect(link, link.sessionId, this.name);
    link.connection = connection;
    link.sessionId = connection.sessionId;
    if (this.#push) this.#grant(link, this.#slots);
    if (!resumed) return;
    // Acks that the old connection may have lost.
    for (const [partition, offsets] of this.#unsettled) {
      const ranges = [...offsets].map((offset) => ({ partition, first: offset, last: offset }));
      if (this.#owners.get(partition) === link) connection.tell({ type: "ack", ranges });
    }
  }

  cut(proxy: SimProxy): void {
    const connection = this.#links.get(proxy)?.connection;
    if (connection !== undefined) proxy.cut(connection);
  }

  received(link: Link, frame: Frame): void {
    switch (frame.type) {
      case "owned":
        this.#owned(link, new Set(frame.partitions));
        break;
      case "deliver":
        for (const { partition, offset, attempt } of frame.records) {
          this.#work(link, { partition, offset, attempt });
        }
        break;
      case "available": {
        const free = this.#slots - this.#held.size;
        this.#pull(link, Math.max(0, Math.min(free, frame.count)), "offer", frame.offerId);
        break;
      }
      case "settled":
        for (const { partition, first, last } of frame.ranges) {
          const offsets = this.#unsettled.get(partition);
          for (const offset of offsets ?? []) {
            if (offset >= first && offset <= last) offsets?.delete(offset);
          }
        }
        break;
      case "cancel":
        if (frame.reason === "moved") break;
        for (const name of frame.records) {
          const held = this.#held.get(key(name));
          if (held?.name.attempt !== name.attempt) continue;
          this.#drop(name);
          // A handler that does not listen to its signal: its ack comes late, and counts.
          if (frame.reason === "expired" && this.#clock.chance(0.5)) this.#finish(name);
        }
        break;
      default:
        break;
    }
  }

  #owned(link: Link, partitions: Set<number>): void {
    const before = link.owned;
    link.owned = partitions;
    const records: PresentedRecord[] = [];
    for (const partition of partitions) {
      if (before.has(partition)) continue;
      this.#owners.set(partition, link);
      for (const offset of this.#unsettled.get(partition) ?? []) {
        records.push({ partition, offset, attempt: 1, state: "acked" });
      }
      for (const { name, hung } of this.#held.values()) {
        if (name.partition === partition && !hung) records.push({ ...name, state: "held" });
      }
    }
    if (records.length > 0) link.connection?.tell({ type: "present", leaseMs: 0, records });
  }

  #work(from: Link, name: RecordRef): void {
    const clock = this.#clock;
    const { poison } = this.#broker.fate(name.partition, name.offset);
    const mood = this.#mood();
    const hung = mood === "hang";
    const held: Held = { name, hung };
    this.#hold(held);
    clock.after(clock.chance(0.1) ? clock.between(1_000, 8_000) : clock.between(1, 200), () => {
      if (this.#push) this.#grant(from, 1);
      if (this.#held.get(key(name)) !== held) return;
      this.#drop(name);
      if (hung) return;
      if (poison || mood === "nack") {
        const delayMs = clock.chance(0.5) ? -1 : clock.between(0, 2_000);
        this.#tell(name, { type: "nack", record: name, delayMs, reason: "refused" });
      } else if (mood === "reject") {
        this.#tell(name, { type: "reject", record: name, reason: "never" });
      } else if (mood === "release") {
        this.#tell(name, { type: "release", records: [name] });
      } else {
        this.#finish(name);
      }
    });
  }

  #hold(held: Held): void {
    const { name, hung } = held;
    this.#held.set(key(name), held);
    if (!hung) this.#broker.fate(name.partition, name.offset).workers.add(this.name);
  }

  #drop(name: RecordRef): void {
    this.#held.delete(key(name));
    this.#broker.fate(name.partition, name.offset).workers.delete(this.name);
  }

  #mood(): string {
    if (this.calm) return "ack";
    let dice = this.#clock.random();
    for (const [mood, rate] of Object.entries(this.#moods)) {
      if (dice < rate) return mood;
      dice -= rate;
    }
    return "ack";
  }

  /** The work is done: from here on another delivery is a duplicate. */
  #finish(name: RecordRef): void {
    const { partition, offset } = name;
    this.#broker.fate(partition, offset).acked = true;
    const offsets = this.#unsettled.get(partition) ?? new Set();
    this.#unsettled.set(partition, offsets.add(offset));
    this.#tell(name, { type: "ack", ranges: [{ partition, first: offset, last: offset }] });
  }

  #tell({ partition }: RecordRef, frame: Frame): void {
    this.#owners.get(partition)?.connection?.tell(frame);
  }

  #grant(link: Link, delta: number): void {
    this.#requestId += 1;
    link.connection?.tell({ type: "credit", requestId: this.#requestId, delta });
  }

  #ask(): void {
    if (this.#push) return;
    for (const link of this.#links.values()) {
      const free = this.#slots - this.#held.size;
      if (free > 0) this.#pull(link, free, this.#clock.chance(0.3) ? "claim" : "offer", 0);
    }
  }

  #pull(link: Link, maxMessages: number, wait: "claim" | "offer", offerId: number): void {
    this.#requestId += 1;
    link.connection?.tell({
      type: "pull",
      requestId: this.#requestId,
      maxMessages,
      maxBytes: 1e6,
      waitMs: wait === "offer" ? 5_000 : 15,
      wait,
      offerId,
    });
  }

  #renew(): void {
    const hung = [...this.#held.values()].filter((held) => held.hung);
    const except = hung.map(({ name: { partition, offset } }) => ({
      partition,
      first: offset,
      last: offset,
    }));
    for (const { connection } of this.#links.values()) {
      connection?.tell({ type: "extend", all: true, except, records: [] });
    }
  }

  #loop(everyMs: number, task: () => void): void {
    this.#clock.after(everyMs, () => {
      task();
      this.#loop(everyMs, task);
    });
  }
}

function key({ partition, offset }: RecordRef): string {
  return `${partition}:${offset}`;
}
