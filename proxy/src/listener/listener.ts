import { createServer, type Server, type Socket } from "node:net";
import {
  createSecureContext,
  createServer as createTlsServer,
  type Server as TlsServer,
} from "node:tls";
import type { Logger } from "@kafkaproxy/kafka";
import type { ErrorCode, Hello, SessionLimits } from "@kafkaproxy/wire";
import { isLoopback, Tokens, WatchedFiles } from "../access/index.ts";
import type { ProxyConfig } from "../config/index.ts";
import type { DispatchPort } from "../dispatch/index.ts";
import { Connection, type ConnectionHost, helloTimeoutMs } from "./connection.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { checkHello, type HelloVerdict, type Identity } from "./hello-check.ts";
import { OutboundBudget } from "./outbound-budget.ts";

export interface ListenerOptions {
  readonly config: Pick<ProxyConfig, "listener" | "delivery" | "pull">;
  readonly identity: Identity;
  readonly dispatch: DispatchPort;
  /** Monotonic ms. */
  readonly now: () => number;
  readonly logger: Logger;
  /** How often certificates and tokens are looked at, in ms. Default 5,000. */
  readonly fileCheckMs?: number;
}

/** Counts since the start, for metrics. */
export interface ListenerCounters {
  readonly accepted: number;
  /** Connections that the listener ended or refused, by the code that the peer was given. */
  readonly failed: Readonly<Partial<Record<ErrorCode, number>>>;
}

/** Where workers connect. */
export interface Listener {
  /** Resolves when it listens. @throws when the port can't be had, or a certificate or token file can't be used. */
  start(): Promise<{ readonly host: string; readonly port: number }>;
  /** Tells all workers to finish within `graceMs`; who comes from now on is sent away. */
  goaway(graceMs: number, reason: string): void;
  /** Closes the port and all connections, within 3 s. Leases run on. */
  close(): Promise<void>;
  readonly state: "idle" | "listening" | "draining" | "closed";
  /** Connections now, those that have not said hello included. */
  readonly connections: number;
  /** Bytes that wait to be read by workers. */
  readonly outboundBytes: number;
  readonly counters: ListenerCounters;
}

export function createListener(options: ListenerOptions): Listener {
  return new TcpListener(options);
}

/** Connections above the limit that are let in to be told so. */
const spareConnections = 64;
const closeDeadlineMs = 3_000;
/** A reader that takes nothing for this long is cut, also when nobody needs its room. */
const calmPatienceMs = 10_000;
/** The same while others wait for room, at least. */
const pressedPatienceMs = 1_000;

class TcpListener implements Listener, ConnectionHost {
  readonly dispatch: DispatchPort;
  readonly budget: OutboundBudget;
  readonly limits: SessionLimits;
  readonly instance: string;
  readonly logger: Logger;
  readonly now: () => number;
  readonly #options: ListenerOptions;
  readonly #connections = new Set<Connection>();
  readonly #bySession = new Map<string, Connection>();
  readonly #awaitingRoom = new Set<Connection>();
  readonly #failed: Partial<Record<ErrorCode, number>> = {};
  readonly #tokens: Tokens | undefined;
  readonly #certificate: WatchedFiles | undefined;
  #accepted = 0;
  #server: Server | TlsServer | undefined;
  #sweeper: NodeJS.Timeout | undefined;
  #toFlush: FrameWriter[] = [];
  #state: Listener["state"] = "idle";
  #closing: Promise<void> | undefined;
  #emptied: (() => void) | undefined;
  #tls: { readonly cert: Buffer; readonly key: Buffer } | undefined;

  constructor(options: ListenerOptions) {
    const { listener, delivery, pull } = options.config;
    this.#options = options;
    this.dispatch = options.dispatch;
    this.logger = options.logger;
    this.now = options.now;
    this.instance = options.identity.instance;
    this.budget = new OutboundBudget({
      maxBytes: listener.maxOutboundBytes,
      maxFrameBytes: listener.maxFrameBytes,
    });
    this.limits = {
      ackTimeoutMs: delivery.ackTimeoutMs,
      maxProcessingTimeMs: delivery.maxProcessingTimeMs,
      maxPullMessages: pull.maxMessages,
      maxPullBytes: pull.maxBytes,
      maxFrameBytes: listener.maxFrameBytes,
      heartbeatIntervalMs: listener.heartbeatIntervalMs,
    };
    const check = options.fileCheckMs === undefined ? {} : { checkMs: options.fileCheckMs };
    const { logger } = options;
    this.#tokens =
      listener.tokenFile === undefined
        ? undefined
        : new Tokens({ file: listener.tokenFile, logger, ...check });
    this.#certificate = listener.tls && this.#watchCertificate(listener.tls, check);
  }

  get state(): Listener["state"] {
    return this.#state;
  }

  get connections(): number {
    return this.#connections.size;
  }

  get outboundBytes(): number {
    return this.budget.usedBytes;
  }

  get counters(): ListenerCounters {
    return { accepted: this.#accepted, failed: { ...this.#failed } };
  }

  // life

  async start(): Promise<{ host: string; port: number }> {
    const { listener, delivery } = this.#options.config;
    await this.#tokens?.start();
    await this.#certificate?.start();
    const server = this.#createServer();
    this.#server = server;
    server.maxConnections = listener.maxConnections + spareConnections;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    server.once("error", reject);
    server.listen({ host: listener.host, port: listener.port, backlog: 1_024 }, resolve);
    await promise;
    server.on("error", (error) => {
      this.logger.error({ err: error }, "the listener has a problem with accepting connections");
    });
    const everyMs = Math.min(1_000, listener.heartbeatIntervalMs / 4, delivery.ackTimeoutMs / 2);
    this.#sweeper = setInterval(() => {
      this.#sweep();
    }, everyMs);
    this.#state = "listening";
    this.#warnWhenOpen();
    const address = server.address();
    if (address === null || typeof address === "string") {
      throw new TypeError(`the listener has no TCP address but ${String(address)}`);
    }
    return { host: address.address, port: address.port };
  }

  goaway(graceMs: number, reason: string): void {
    if (this.#state !== "listening") return;
    this.#state = "draining";
    for (const connection of this.#connections) connection.goaway(graceMs, reason);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#state = "closed";
    this.#tokens?.close();
    this.#certificate?.close();
    this.#server?.close();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#emptied = resolve;
    for (const connection of this.#connections) {
      connection.fail("draining", "The proxy has stopped. Connect to the others.");
    }
    const deadline = setTimeout(resolve, closeDeadlineMs);
    if (this.#connections.size > 0) await promise;
    clearTimeout(deadline);
    clearInterval(this.#sweeper);
    for (const connection of this.#connections) connection.cut("draining", "the proxy has stopped");
  }

  #createServer(): Server | TlsServer {
    const accept = (socket: Socket): void => {
      this.#accept(socket);
    };
    if (this.#tls === undefined) return createServer({ noDelay: true }, accept);
    const server = createTlsServer({ ...this.#tls, handshakeTimeout: helloTimeoutMs }, accept);
    server.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
      const probe = error.code === "ECONNRESET";
      this.logger[probe ? "debug" : "warn"](
        { peer: socket.remoteAddress, err: error },
        "a connection to the TLS port spoke no TLS that we accept",
      );
    });
    return server;
  }

  #watchCertificate(
    { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string },
    check: { readonly checkMs?: number },
  ): WatchedFiles {
    return new WatchedFiles({
      paths: [certFile, keyFile],
      use: ([cert, key]) => {
        if (cert === undefined || key === undefined) return;
        createSecureContext({ cert, key });
        this.#tls = { cert, key };
        if (this.#server !== undefined && "setSecureContext" in this.#server) {
          this.#server.setSecureContext(this.#tls);
          this.logger.info({ certFile }, "the certificate changed: used for new connections");
        }
      },
      failed: (error) => {
        this.logger.warn(
          { certFile, keyFile, err: error },
          "the new certificate can't be used: the one before stays",
        );
      },
      ...check,
    });
  }

  #warnWhenOpen(): void {
    const { host, tls, tokenFile } = this.#options.config.listener;
    if (isLoopback(host) || (tls !== undefined && tokenFile !== undefined)) return;
    const missing = [tls ?? "listener.tls", tokenFile ?? "listener.tokenFile"].filter(
      (name) => name === "listener.tls" || name === "listener.tokenFile",
    );
    this.logger.warn(
      { host, missing },
      `the listener is open to the network without ${missing.join(" and ")}: whoever reaches it can read and settle messages`,
    );
  }

  #accept(socket: Socket): void {
    if (this.#state === "closed") {
      socket.destroy();
      return;
    }
    this.#accepted++;
    this.#connections.add(new Connection(this, socket));
  }

  // time

  #sweep(): void {
    const now = this.now();
    const { ackTimeoutMs } = this.limits;
    const patienceMs =
      this.#awaitingRoom.size > 0
        ? Math.max(pressedPatienceMs, ackTimeoutMs)
        : Math.max(calmPatienceMs, 3 * ackTimeoutMs);
    for (const connection of this.#connections) connection.sweep(now, patienceMs);
  }

  // ConnectionHost

  check(hello: Hello): HelloVerdict {
    // Who takes a session over brings its place along.
    const others = this.#bySession.size - (this.#bySession.has(hello.sessionId) ? 1 : 0);
    const tokens = this.#tokens;
    return checkHello(hello, {
      identity: this.#options.identity,
      allows: tokens && ((token) => tokens.allows(token)),
      draining: this.#state !== "listening",
      isFull: others >= this.#options.config.listener.maxConnections,
    });
  }

  takeOver(sessionId: string): void {
    const older = this.#bySession.get(sessionId);
    older?.fail("session-taken-over", "The session goes on over a newer connection.");
  }

  opened(sessionId: string, connection: Connection): void {
    this.#bySession.set(sessionId, connection);
  }

  flushSoon(writer: FrameWriter): void {
    if (this.#toFlush.push(writer) > 1) return;
    setImmediate(() => {
      const writers = this.#toFlush;
      this.#toFlush = [];
      for (const each of writers) each.flush();
      this.#holdTotal();
    });
  }

  /** Frames without records are not held back; when they fill more than is allowed, who holds most goes. */
  #holdTotal(): void {
    while (this.budget.isOver) {
      let most: Connection | undefined;
      for (const connection of this.#connections) {
        if (connection.pendingBytes > (most?.pendingBytes ?? 0)) most = connection;
      }
      if (most === undefined) return;
      most.cut("too-slow", `${most.pendingBytes} bytes wait for it, more than there is room for`);
    }
  }

  awaitRoom(connection: Connection): void {
    this.#awaitingRoom.add(connection);
  }

  progressed(): void {
    for (const connection of this.#awaitingRoom) {
      if (!this.budget.hasRoom) return;
      this.#awaitingRoom.delete(connection);
      connection.roomAgain();
    }
  }

  failed(code: ErrorCode): void {
    this.#failed[code] = (this.#failed[code] ?? 0) + 1;
  }

  ended(connection: Connection, sessionId: string | undefined): void {
    this.#connections.delete(connection);
    this.#awaitingRoom.delete(connection);
    if (sessionId !== undefined && this.#bySession.get(sessionId) === connection) {
      this.#bySession.delete(sessionId);
    }
    // What waited for it is gone too.
    this.progressed();
    if (this.#connections.size === 0) this.#emptied?.();
  }
}
