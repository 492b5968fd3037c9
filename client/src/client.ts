import { type Frame, type Hello, minProtocolVersion, protocolVersion } from "@kafkaproxy/wire";
import type { Hold, LossReason } from "./book/index.ts";
import { checkMessages, checkPull, checkWork } from "./check-options.ts";
import { ClientError, wordsOf } from "./client-error.ts";
import type { Config } from "./config.ts";
import {
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
import { Exchange } from "./exchange.ts";
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

const defaultEndMs = 30_000;
/** What a proxy has sent when we close is handed back before the end; so long it may be on its way, whatever the time-out. */
const lastAnswersMs = 200;

/** What connect() returns: discovery feeds links, links feed the exchange, and consumers are filled from there. */
export class Client implements ProxyClient, LinkOwner {
  readonly #config: Config;
  readonly #discovery: Discovery;
  readonly #links: Links;
  readonly #exchange: Exchange;
  readonly #events: Emitter<ClientEvents>;
  #state: ClientState = "connecting";
  #closing: Promise<void> | undefined;

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
    this.#exchange = new Exchange({
      topic: config.topic,
      mode: config.mode,
      logger,
      onLost: (hold, reason) => this.#lost(hold, reason),
    });
  }

  /** Resolves when the proxies are known and one has welcomed us, or all have been tried. */
  async open(): Promise<void> {
    this.#exchange.start();
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
      partitions: this.#exchange.partitionsOf(link),
      inFlight: this.#exchange.heldBy(link),
    }));
  }

  work(handler: Handler, options: WorkOptions = {}): Worker {
    this.#expectOpen("work()");
    const worker = new HandlerWorker(handler, checkWork(handler, options), this.#exchange);
    this.#exchange.add(worker);
    return worker;
  }

  messages(options: MessagesOptions = {}): AsyncIterableIterator<Message> {
    this.#expectOpen("messages()");
    const stream = new MessageStream(checkMessages(options), this.#exchange);
    this.#exchange.add(stream);
    return stream;
  }

  async pull(options: PullOptions = {}): Promise<Message[]> {
    this.#expectOpen("pull()");
    const pull = new SinglePull(checkPull(options, this.#config.mode), this.#exchange);
    this.#exchange.add(pull);
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
    const until = this.#exchange.now() + timeoutMs;
    await Promise.all(this.#exchange.consumers.map((consumer) => consumer.drain({ timeoutMs })));
    await this.#exchange.settled(Math.max(0, until - this.#exchange.now()));
  }

  close(options: EndOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options: EndOptions): Promise<void> {
    const until = this.#exchange.now() + (options.timeoutMs ?? defaultEndMs);
    await this.drain(options);
    await this.#exchange.quiet(Math.max(lastAnswersMs, until - this.#exchange.now()));
    this.#exchange.close();
    this.#setState("closed");
    this.#links.close("the client closes");
    try {
      await this.#discovery.close();
    } catch (error) {
      this.#config.logger.warn({ reason: wordsOf(error) }, "ZooKeeper session did not end well");
    }
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
    this.#exchange.up(link, resumed);
    this.#links.progressed(link);
    const { instance, host, port } = link.address;
    this.#config.logger.info({ instance, host, port, resumed }, "connected to a proxy");
    this.#events.emit("proxyConnected", { instance, address: `${host}:${port}`, resumed });
    this.#updateState();
  }

  frame(link: Link, frame: Frame): void {
    if (frame.type === "goaway") {
      const { instance } = link.address;
      this.#config.logger.info({ instance, reason: frame.reason }, "a proxy is going away");
    } else {
      this.#exchange.frame(link, frame);
    }
  }

  down(link: Link): void {
    this.#exchange.down(link);
    const { instance, host, port } = link.address;
    this.#config.logger.warn({ instance, host, port }, "lost a proxy");
    this.#events.emit("proxyLost", { instance, address: `${host}:${port}` });
    this.#updateState();
  }

  failed(link: Link, error: ClientError): void {
    const { instance } = link.address;
    this.#config.logger.debug({ instance, reason: error.message }, "an attempt to connect failed");
    this.#links.failed(link, error);
  }

  ended(link: Link): void {
    this.#exchange.dropped(link);
    this.#links.remove(link);
    this.#updateState();
  }

  urgent(link: Link): boolean {
    return this.#exchange.needs(link);
  }

  #lost(hold: Hold, reason: LossReason): void {
    const { msgId, attempt } = hold.message;
    this.#config.logger.warn({ msgId, attempt, reason }, "a message is no longer ours");
    this.#events.emit("leaseLost", { message: hold.message, reason });
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
