import { performance } from "node:perf_hooks";
import {
  type Deliver,
  type Frame,
  type Hello,
  defaultLimits,
  minProtocolVersion,
  protocolVersion,
} from "@kafkaproxy/wire";
import { Book, type Hold, type LossReason } from "./book/index.ts";
import { checkMessages, checkPull, checkWork } from "./check-options.ts";
import { ClientError, wordsOf } from "./client-error.ts";
import type { Config } from "./config.ts";
import {
  type Consumer,
  type ConsumerHost,
  type Handler,
  HandlerWorker,
  type MessagesOptions,
  MessageStream,
  type PullOptions,
  SinglePull,
  type Worker,
  type WorkOptions,
} from "./consume/index.ts";
import type { Discovery } from "./discovery/index.ts";
import { Emitter } from "./emitter.ts";
import { Link, type LinkOwner } from "./link/index.ts";
import { Links } from "./links.ts";
import type { Message } from "./message.ts";
import type {
  ClientEvents,
  ClientState,
  EndOptions,
  ProxyClient,
  ProxyInfo,
} from "./proxy-client.ts";
import { PullSupply, PushSupply, type Supply } from "./supply/index.ts";

/** How often demand is looked at without a cause, in ms: in push mode credit is moved by it. */
const supplyIntervalMs = { pull: 1_000, push: 100 };

const defaultEndMs = 30_000;

/** Wires links, book and supply together, and gives each frame to whom it concerns. */
export class Client implements ProxyClient, ConsumerHost, LinkOwner {
  readonly #config: Config;
  readonly #discovery: Discovery;
  readonly #links: Links;
  readonly #book: Book;
  readonly #supply: Supply;
  readonly #consumers = new Set<Consumer>();
  readonly #events: Emitter<ClientEvents>;
  #state: ClientState = "connecting";
  #scheduled = false;
  #supplyTimer: NodeJS.Timeout | undefined;
  #renewalTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #onSettled = new Set<() => void>();
  /** Handed-back deliveries that nobody wanted any more. */
  readonly #nobody = { renews: false, ended: () => undefined, renewed: () => undefined };
  #limits = defaultLimits;

  constructor(config: Config, discovery: Discovery) {
    this.#config = config;
    this.#discovery = discovery;
    const { logger } = config;
    this.#events = new Emitter((error) =>
      logger.error({ reason: wordsOf(error) }, "an event listener threw"),
    );
    this.#links = new Links(
      (address) =>
        new Link({
          address,
          owner: this,
          tls: config.tls,
          connectTimeoutMs: config.connectTimeoutMs,
          random: Math.random,
        }),
      (error) => {
        logger.warn({ code: error.code, reason: error.message }, "a proxy refuses this client");
        this.#events.emit("error", error);
      },
    );
    this.#supply = config.mode === "pull" ? new PullSupply() : new PushSupply();
    this.#book = new Book(config.topic, {
      dirty: () => this.wake(),
      lost: (hold, reason) => this.#lost(hold, reason),
      settled: () => {
        for (const resolve of this.#onSettled) {
          resolve();
        }
      },
    });
  }

  /** Resolves when the proxies are known and one has welcomed us, or all have been tried. */
  async open(): Promise<void> {
    this.#setRenewalInterval();
    this.#supplyTimer = setInterval(() => this.wake(), supplyIntervalMs[this.#config.mode]);
    this.#discovery.start((proxies) => {
      if (this.#closing === undefined) {
        this.#links.update(proxies);
        this.#updateState();
      }
    });
    await this.#links.ready(this.#config.connectTimeoutMs);
    if (this.#state === "connecting") {
      this.#setState(this.#links.anyUp ? "connected" : "waiting");
    }
  }

  get state(): ClientState {
    return this.#state;
  }

  get proxies(): readonly ProxyInfo[] {
    return [...this.#links.all()].map((link) => ({
      instance: link.address.instance,
      address: `${link.address.host}:${link.address.port}`,
      state: link.state,
      partitions: this.#book.partitionsOf(link),
      inFlight: this.#book.heldBy(link),
    }));
  }

  work(handler: Handler, options: WorkOptions = {}): Worker {
    this.#expectOpen("work()");
    const worker = new HandlerWorker(handler, checkWork(handler, options), this);
    this.add(worker);
    return worker;
  }

  messages(options: MessagesOptions = {}): AsyncIterableIterator<Message> {
    this.#expectOpen("messages()");
    const stream = new MessageStream(checkMessages(options), this);
    this.add(stream);
    return stream;
  }

  async pull(options: PullOptions = {}): Promise<Message[]> {
    this.#expectOpen("pull()");
    const pull = new SinglePull(checkPull(options, this.#config.mode), this);
    this.add(pull);
    return pull.result;
  }

  on<Name extends keyof ClientEvents>(
    name: Name,
    listener: (event: ClientEvents[Name]) => void,
  ): this {
    this.#events.on(name, listener);
    return this;
  }

  off<Name extends keyof ClientEvents>(
    name: Name,
    listener: (event: ClientEvents[Name]) => void,
  ): this {
    this.#events.off(name, listener);
    return this;
  }

  async drain({ timeoutMs = defaultEndMs }: EndOptions = {}): Promise<void> {
    if (this.#state !== "closed") {
      this.#setState("draining");
    }
    const until = this.now() + timeoutMs;
    await Promise.all([...this.#consumers].map((consumer) => consumer.drain({ timeoutMs })));
    await this.settled(Math.max(0, until - this.now()));
  }

  close(options: EndOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options: EndOptions): Promise<void> {
    await this.drain(options);
    this.#run();
    this.#setState("closed");
    clearInterval(this.#supplyTimer);
    clearInterval(this.#renewalTimer);
    this.#links.close("the client closes");
    try {
      await this.#discovery.close();
    } catch (error) {
      this.#config.logger.warn({ reason: wordsOf(error) }, "ZooKeeper session did not end well");
    }
  }

  // ConsumerHost

  add(consumer: Consumer): void {
    this.#consumers.add(consumer);
    this.#supply.addTaker(consumer);
    this.wake();
  }

  remove(consumer: Consumer): void {
    this.#consumers.delete(consumer);
    this.#supply.removeTaker(consumer);
  }

  /** Once a turn of the event loop: what handlers said in it goes out together. */
  wake(): void {
    if (!this.#scheduled) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#run();
      });
    }
  }

  outstanding(consumer: Consumer): number {
    return this.#supply.outstanding(consumer);
  }

  abandon(hold: Hold): void {
    this.#book.abandon(hold);
  }

  settled(timeoutMs: number): Promise<void> {
    this.#book.flush(this.now());
    if (this.#book.settled || timeoutMs <= 0) {
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#onSettled.delete(done);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      this.#onSettled.add(done);
    });
  }

  get ackTimeoutMs(): number {
    return this.#limits.ackTimeoutMs;
  }

  now(): number {
    return performance.now();
  }

  // LinkOwner

  hello(sessionId: string): Hello {
    const { namespace, topic, consumerGroup, mode, clientName, token } = this.#config;
    return {
      type: "hello",
      minProtocol: minProtocolVersion,
      maxProtocol: protocolVersion,
      features: [],
      sessionId,
      token: token(),
      namespace,
      topic,
      consumerGroup,
      mode,
      clientName,
    };
  }

  up(link: Link, resumed: boolean): void {
    const now = this.now();
    this.#limits = link.limits;
    this.#setRenewalInterval();
    this.#book.up(now, link, resumed);
    this.#supply.up(now, link);
    this.#links.progressed(link);
    const { instance, host, port } = link.address;
    this.#config.logger.info({ instance, host, port, resumed }, "connected to a proxy");
    this.#events.emit("proxyConnected", { instance, address: `${host}:${port}`, resumed });
    this.#updateState();
    this.wake();
  }

  frame(link: Link, frame: Frame): void {
    const now = this.now();
    switch (frame.type) {
      case "deliver":
        this.#deliver(now, link, frame);
        break;
      case "available":
        this.#supply.available(now, link, frame);
        return;
      case "credit":
        this.#supply.credit(now, link, frame);
        return;
      case "settled":
        this.#book.settledRanges(frame.ranges);
        return;
      case "owned":
        this.#book.owned(now, link, frame.partitions);
        break;
      case "present":
        this.#book.accepted(now, link, frame);
        return;
      case "cancel":
        this.#book.cancelled(now, link, frame.reason, frame.records);
        break;
      case "error":
        this.#book.refused(now, link, frame);
        break;
      case "goaway":
        this.#config.logger.info(
          { instance: link.address.instance, reason: frame.reason },
          "a proxy is going away",
        );
        break;
      default:
        this.#config.logger.warn({ type: frame.type }, "a proxy sent what only clients send");
        return;
    }
    this.wake();
  }

  down(link: Link): void {
    this.#supply.down(this.now(), link);
    const { instance, host, port } = link.address;
    this.#config.logger.warn({ instance, host, port }, "lost a proxy");
    this.#events.emit("proxyLost", { instance, address: `${host}:${port}` });
    this.#updateState();
    for (const consumer of this.#consumers) {
      consumer.answered();
    }
    this.wake();
  }

  failed(link: Link, error: ClientError): void {
    const { instance } = link.address;
    this.#config.logger.debug({ instance, reason: error.message }, "an attempt to connect failed");
    this.#links.failed(link, error);
  }

  ended(link: Link): void {
    this.#supply.down(this.now(), link);
    this.#book.dropped(this.now(), link);
    this.#links.remove(link);
    for (const consumer of this.#consumers) {
      consumer.answered();
    }
    this.#updateState();
  }

  urgent(link: Link): boolean {
    return !this.#book.settled || this.#book.heldBy(link) > 0;
  }

  #deliver(now: number, link: Link, frame: Deliver): void {
    const taker = this.#supply.delivered(now, link, frame.requestId, frame.records.length);
    // Every taker was added as a consumer.
    const consumer = taker as Consumer | undefined;
    const holds: Hold[] = [];
    for (const delivery of frame.records) {
      const hold = this.#book.take(now, link, delivery, consumer ?? this.#nobody);
      if (hold !== undefined) {
        holds.push(hold);
      }
    }
    if (consumer === undefined) {
      for (const hold of holds) {
        hold.release();
      }
      return;
    }
    consumer.accept(holds);
    consumer.answered();
  }

  #run(): void {
    const now = this.now();
    this.#book.flush(now);
    this.#supply.pump(now);
  }

  #setRenewalInterval(): void {
    clearInterval(this.#renewalTimer);
    let ackTimeoutMs = this.#limits.ackTimeoutMs;
    for (const link of this.#links.all()) {
      ackTimeoutMs = Math.min(ackTimeoutMs, link.limits.ackTimeoutMs);
    }
    const intervalMs = Math.max(10, ackTimeoutMs / 3);
    this.#renewalTimer = setInterval(() => {
      this.#book.tick(this.now(), intervalMs, this.#limits);
    }, intervalMs);
  }

  #lost(hold: Hold, reason: LossReason): void {
    const { msgId, attempt } = hold.message;
    this.#config.logger.warn({ msgId, attempt, reason }, "a message is no longer ours");
    this.#events.emit("leaseLost", { message: hold.message, reason });
    this.wake();
  }

  #updateState(): void {
    if (this.#state === "connected" || this.#state === "waiting") {
      this.#setState(this.#links.anyUp ? "connected" : "waiting");
    }
  }

  #setState(state: ClientState): void {
    if (state === this.#state) {
      return;
    }
    this.#state = state;
    this.#events.emit("state", { state });
    if (state === "waiting") {
      this.#config.logger.warn({}, "no proxy is connected; waiting for one");
      this.#events.emit("waiting", {});
    }
  }

  #expectOpen(what: string): void {
    if (this.#state === "draining" || this.#state === "closed") {
      throw new ClientError("closed", `${what} was called on a client that is ${this.#state}.`);
    }
  }
}
