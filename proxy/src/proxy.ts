import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "@kafkaproxy/kafka";
import { type Admin, createAdmin, Metrics } from "./admin/index.ts";
import type { ProxyConfig } from "./config/index.ts";
import type { LetterAnswer } from "./deadletter/index.ts";
import { openRooms, type Reach, type Rooms } from "./rooms.ts";
import { proxyStatus, type ProxyStatus } from "./status.ts";
import { StuckWatch } from "./stuck-watch.ts";
import { Ticker } from "./ticker.ts";
import { within } from "./within.ts";

export const proxyStates = ["starting", "serving", "draining", "stopped", "failed"] as const;
/**
 * `starting` until the group is joined and the registry is asked to announce us; `failed`: it can't go on by
 * itself, `failure` says why.
 */
export type ProxyState = (typeof proxyStates)[number];

export interface ProxyDeps {
  readonly logger: Logger;
  /** 0 to 1. Default Math.random. */
  readonly random?: () => number;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Readiness {
  readonly ready: boolean;
  /** What is missing, in words. */
  readonly reasons: readonly string[];
}

const superviseMs = 100;
/** A partition with lag whose watermark has not moved for this long is shown as stuck. */
const stuckAfterMs = 60_000;
/** Kafka or ZooKeeper is said to be away after so long; a reconnect is no outage. */
const outageMs = 1_500;
/** What a drain waits for ZooKeeper to forget us; clients are told to go all the same. */
const unregisterMs = 2_000;
/**
 * What a drain waits for handlers before it looks for another proxy to hand over to: most end by then, and proxies that
 * are told to stop together, as when all of it is deleted, have all left the registry.
 */
const lookForOthersMs = 500;
/** What a close without a drain waits for Kafka. */
const closeTimeoutMs = 5_000;

/** One proxy: a consumer group member that hands single messages to workers. One process runs one of it. */
export class Proxy {
  readonly #config: ProxyConfig;
  readonly #logger: Logger;
  readonly #random: () => number;
  readonly #stuck = new StuckWatch(stuckAfterMs);
  readonly #ended = Promise.withResolvers<ProxyState>();
  #state: ProxyState = "starting";
  #failure: Error | undefined;
  #paused: boolean;
  readonly #metrics: Metrics;
  readonly #admin: Admin;
  #rooms: Rooms | undefined;
  #ticker: Ticker | undefined;
  #supervisor: NodeJS.Timeout | undefined;
  #address: Address | undefined;
  #adminAddress: Address | undefined;
  #started: Promise<void> | undefined;
  #drained: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  /** Last said in the log, so that an outage is one line. */
  #said = { kafka: true, zookeeper: true };
  #startedAt = performance.now();

  constructor(config: ProxyConfig, deps: ProxyDeps) {
    this.#config = config;
    this.#paused = config.paused;
    this.#logger = deps.logger;
    this.#random = deps.random ?? Math.random;
    this.#metrics = new Metrics({
      labels: { topic: config.topic, group: config.consumerGroup },
      sources: () => ({
        status: this.status(),
        dispatch: this.#rooms?.dispatch.counters,
        listener: this.#rooms?.listener,
      }),
    });
    this.#admin = createAdmin({
      config: config.admin,
      port: {
        health: () => ({ ok: this.#state !== "failed", state: this.#state }),
        readiness: () => this.readiness(),
        status: () => this.status(),
        metrics: async () => await this.#metrics.text(),
        deadLetter: async (msgId) => await this.findDeadLetter(msgId),
      },
      logger: deps.logger,
    });
  }

  get state(): ProxyState {
    return this.#state;
  }

  /** Why the state is `failed`. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Where workers connect. @throws before start() has resolved. */
  get address(): Address {
    if (this.#address === undefined) throw new Error("the proxy has no address before start()");
    return this.#address;
  }

  /** Where probes and people ask. @throws before start() has resolved. */
  get adminAddress(): Address {
    if (this.#adminAddress === undefined) {
      throw new Error("the proxy has no admin address before start()");
    }
    return this.#adminAddress;
  }

  /** Resolves with `stopped` or `failed`, when all is closed or can't go on. */
  get ended(): Promise<ProxyState> {
    return this.#ended.promise;
  }

  /**
   * Resolves when it listens. Kafka and ZooKeeper may be away: it tries on by itself.
   * Rejects when a port can't be had or a file can't be read; the state is `failed` then.
   */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  async #start(): Promise<void> {
    try {
      const rooms = await openRooms(this.#config, {
        logger: this.#logger,
        random: this.#random,
        metrics: this.#metrics,
        fenceChanged: (reason) => {
          if (reason === undefined) {
            this.#logger.info({}, "a heartbeat succeeded: delivering again");
          } else {
            this.#metrics.fenced();
            this.#logger.warn({ reason }, "nothing is delivered until a heartbeat succeeds");
          }
          this.#gate();
        },
        failed: (error) => {
          this.#fail(error);
        },
      });
      this.#rooms = rooms;
      this.#gate();
      this.#address = await rooms.listener.start();
      this.#adminAddress = await this.#admin.start();
      rooms.session.start();
      rooms.source.start();
      this.#ticker = new Ticker(rooms.dispatch, rooms.now);
      this.#ticker.start();
      this.#supervisor = setInterval(() => {
        this.#supervise(rooms);
      }, superviseMs);
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      this.#fail(failure);
      await this.close();
      throw failure;
    }
  }

  /** Stops delivery, or goes on with it; membership, commits and acks are as always. At first as configured. */
  setPaused(paused: boolean): void {
    if (paused === this.#paused) return;
    this.#paused = paused;
    this.#logger.info({}, paused ? "paused: nothing is delivered" : "not paused: delivering again");
    this.#gate();
  }

  readiness(): Readiness {
    const rooms = this.#rooms;
    const reasons: string[] = [];
    if (this.#state !== "serving") reasons.push(`the proxy is ${this.#state}`);
    if (rooms === undefined) return { ready: false, reasons };
    if (!rooms.source.joined) reasons.push("the consumer group has not been joined yet");
    const { refusal } = rooms.source;
    if (refusal !== undefined) reasons.push(`the group refuses this proxy: ${refusal.message}`);
    const fenced = rooms.fence.reason;
    if (fenced !== undefined) reasons.push(`fenced: ${fenced}`);
    return { ready: reasons.length === 0, reasons };
  }

  status(): ProxyStatus {
    return proxyStatus({
      config: this.#config,
      state: this.#state,
      failure: this.#failure,
      paused: this.#paused,
      readiness: this.readiness(),
      startedAt: this.#startedAt,
      rooms: this.#rooms,
      stuck: this.#stuck,
    });
  }

  async findDeadLetter(msgId: string): Promise<LetterAnswer> {
    const rooms = this.#rooms;
    if (rooms === undefined) return { kind: "unavailable", message: "the proxy has not started" };
    return await rooms.deadLetters.find(msgId);
  }

  /**
   * Ends without leaving anything behind: workers are told to go, partitions are handed over with a confirmed commit,
   * the group is left. What handlers take longer for goes along to the other proxies; without any, handlers are waited
   * for, up to `graceMs` (default: the configured drain time-out).
   */
  drain(graceMs = this.#config.drainTimeoutMs): Promise<void> {
    this.#drained ??= this.#drain(graceMs);
    return this.#drained;
  }

  async #drain(graceMs: number): Promise<void> {
    await this.#started?.catch(() => undefined);
    const rooms = this.#rooms;
    if (rooms === undefined || this.#closed !== undefined) return await this.close();
    this.#logger.info({ graceMs, inFlight: rooms.dispatch.inFlight }, "draining");
    const deadline = rooms.now() + graceMs;
    if (this.#state !== "failed") this.#state = "draining";
    await within(rooms.registry.close(), unregisterMs);
    rooms.listener.goaway(graceMs, "the proxy is stopping");
    this.#gate();
    const handedOver = await this.#workersOrOthers(rooms, deadline);
    const { inFlight } = rooms.dispatch;
    if (handedOver) {
      this.#logger.info({ inFlight }, "the other proxies take over what is still being worked on");
    } else if (inFlight > 0) {
      this.#logger.warn(
        { inFlight },
        "the grace period is over: the next owner takes over what is still being worked on",
      );
    }
    await rooms.source.close({ leave: true });
    await this.close();
  }

  /** Resolves when workers are through or their time is over; true: before that, as another proxy can take over. */
  async #workersOrOthers(rooms: Rooms, deadline: number): Promise<boolean> {
    let lookAt = rooms.now() + lookForOthersMs;
    while (rooms.now() < deadline && this.#closed === undefined && !idle(rooms)) {
      // Who takes over has to read our last commit: without Kafka there is nothing to take over.
      if (rooms.now() >= lookAt && rooms.source.reachable.ok) {
        const found = await Promise.race([
          rooms.registry.hasOthers(),
          delay(lookForOthersMs, false),
        ]);
        if (found) return true;
        lookAt = rooms.now() + lookForOthersMs;
      }
      await delay(20);
    }
    return false;
  }

  /** Ends at once: the group keeps our partitions for us until its session time-out. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    clearInterval(this.#supervisor);
    this.#ticker?.close();
    const rooms = this.#rooms;
    if (rooms !== undefined) {
      const ending = (async () => {
        await rooms.source.close({ leave: false });
        await rooms.registry.close();
        await rooms.deadLetters.close();
        await rooms.listener.close();
        await this.#admin.close();
        await rooms.session.close();
        await rooms.connection.close();
      })();
      await within(ending, closeTimeoutMs);
    }
    if (this.#state !== "failed") this.#state = "stopped";
    this.#logger.info({ state: this.#state }, "stopped");
    this.#ended.resolve(this.#state);
  }

  #fail(error: Error): void {
    if (this.#state === "failed") return;
    this.#state = "failed";
    this.#failure = error;
    this.#logger.error({ err: error }, "the proxy can't go on");
    this.#gate();
    this.#ended.resolve("failed");
  }

  /** Delivery is on while we serve and are neither paused nor fenced; acks are taken all the same. */
  #gate(): void {
    const rooms = this.#rooms;
    if (rooms === undefined) return;
    const serving = this.#state === "starting" || this.#state === "serving";
    const on = serving && !this.#paused && rooms.fence.reason === undefined;
    rooms.dispatch.setDelivering(performance.now(), on);
  }

  #supervise(rooms: Rooms): void {
    const now = rooms.now();
    if (this.#state === "starting" && rooms.source.joined && rooms.fence.reason === undefined) {
      this.#state = "serving";
      rooms.registry.register(this.address.port);
      this.#logger.info({ ...this.address }, "serving");
    }
    const ends = new Map(rooms.source.partitions().map(({ partition, end }) => [partition, end]));
    // What is paused stands still on purpose.
    const watermarks = this.#paused ? [] : rooms.dispatch.watermarks();
    this.#stuck.observe(now, watermarks, (partition) => ends.get(partition));
    this.#say("kafka", now, rooms.source.reachable);
    this.#say("zookeeper", now, rooms.zookeeper());
  }

  /** An outage is one line when it begins and one when it ends, however often it is met. */
  #say(what: "kafka" | "zookeeper", now: number, { ok, since }: Reach): void {
    if (this.#said[what] === ok || (!ok && now - since < outageMs)) return;
    this.#said[what] = ok;
    const { refusal } = this.#rooms?.source ?? {};
    if (what === "zookeeper") {
      if (ok) this.#logger.info({}, "ZooKeeper answers again");
      else this.#logger.warn({}, "ZooKeeper does not answer: serving on with what is known");
    } else if (ok) this.#logger.info({}, "Kafka answers again: a member of the group");
    else if (refusal !== undefined) {
      this.#logger.error({ err: refusal }, "Kafka refuses this proxy as a member of the group");
    } else this.#logger.warn({}, "Kafka does not answer, or the group can't be joined: trying on");
  }
}

/** Nothing is with a worker, and nothing waits for the dead-letter topic that takes records. */
function idle(rooms: Rooms): boolean {
  const { waiting, problem } = rooms.deadLetters.status;
  return rooms.dispatch.inFlight === 0 && (waiting === 0 || problem !== undefined);
}
