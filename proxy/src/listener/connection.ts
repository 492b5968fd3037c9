import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { Logger } from "@kafkaproxy/kafka";
import {
  createFrameDecoder,
  type ErrorCode,
  errorCodeFor,
  type Frame,
  type FrameDecoder,
  type Hello,
  looksLikeOtherProtocol,
  maxHelloFrameBytes,
  maxMissedHeartbeats,
  type SessionLimits,
  sniffBytes,
  WireError,
} from "@kafkaproxy/wire";
import type { DispatchPort, SessionPort } from "../dispatch/index.ts";
import { FrameWriter } from "./frame-writer.ts";
import type { HelloVerdict } from "./hello-check.ts";
import type { OutboundBudget } from "./outbound-budget.ts";
import { httpAnswer, strangerWords } from "./strangers.ts";

/** A connection that has not said hello by then is closed. */
export const helloTimeoutMs = 10_000;

/** How long a peer has to take our last words before the connection is cut. */
const lingerMs = 2_000;

/** A client with more answers than this waiting is not read until it has taken half of them. */
const floodBytes = 256 * 1024;

/** What a connection asks of the listener. */
export interface ConnectionHost {
  readonly dispatch: DispatchPort;
  readonly budget: OutboundBudget;
  readonly limits: SessionLimits;
  readonly instance: string;
  readonly logger: Logger;
  /** Monotonic ms. */
  readonly now: () => number;
  /** How many share the budget. */
  readonly connections: number;
  check(hello: Hello): HelloVerdict;
  /** Closes the connection that speaks for the session so far. */
  takeOver(sessionId: string): void;
  /** The connection speaks for the session from now on. */
  opened(sessionId: string, connection: Connection): void;
  /** Call writer.flush() at the end of this turn of the event loop. */
  flushSoon(writer: FrameWriter): void;
  /** Call roomAgain() when the budget has room. */
  awaitRoom(connection: Connection): void;
  /** Bytes have gone out. */
  progressed(): void;
  failed(code: ErrorCode): void;
  ended(connection: Connection, sessionId: string | undefined): void;
}

type State = "hello" | "open" | "closing" | "closed";

/** Frames that a client may send to an open session, and that are dispatch's business. */
const forDispatch: ReadonlySet<Frame["type"]> = new Set([
  "pull",
  "ack",
  "nack",
  "reject",
  "extend",
  "release",
  "present",
  "credit",
] satisfies Frame["type"][]);

/** One connection: hello, then frames to and from dispatch until either side ends it. */
export class Connection implements SessionPort {
  readonly #host: ConnectionHost;
  readonly #socket: Socket;
  readonly #peer: string;
  readonly #writer: FrameWriter;
  readonly #decoder: FrameDecoder;
  #state: State = "hello";
  #sinceMs: number;
  /** First bytes, until it shows whose protocol they are. */
  #first: Buffer | undefined = Buffer.alloc(0);
  #sessionId: string | undefined;
  #clientName = "";
  #mode: Hello["mode"] = "pull";
  /** Frames for the client that must come after welcome. */
  #early: Frame[] | undefined;
  /** The client said goaway: its end is on purpose. */
  #leaving = false;
  #heardAt: number;
  #pingedAt = 0;
  #pings = 0;
  #nonce = 0;
  /** Dispatch was told that nothing can be written for now. */
  #refusedRoom = false;

  constructor(host: ConnectionHost, socket: Socket) {
    this.#host = host;
    this.#socket = socket;
    this.#peer = `${socket.remoteAddress ?? "unknown"}:${socket.remotePort ?? 0}`;
    this.#sinceMs = host.now();
    this.#heardAt = this.#sinceMs;
    const { budget, now } = host;
    this.#writer = new FrameWriter({
      socket,
      budget,
      now,
      dirty: () => {
        host.flushSoon(this.#writer);
      },
      progress: () => {
        this.#progressed();
      },
    });
    this.#decoder = createFrameDecoder({ maxFrameBytes: maxHelloFrameBytes });
    socket.setNoDelay(true);
    socket.on("data", (chunk) => {
      this.#received(chunk);
    });
    socket.on("error", (error) => {
      host.logger.debug({ peer: this.#peer, err: error }, "a worker's connection broke");
    });
    socket.on("close", () => {
      this.#closed();
    });
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  get pendingBytes(): number {
    return this.#writer.pendingBytes;
  }

  get #ownBytes(): number {
    return this.#host.budget.ownBytes(this.#host.connections);
  }

  // SessionPort

  get writable(): boolean {
    if (this.#state !== "open") return false;
    const fits = this.#writer.pendingBytes <= this.#ownBytes;
    if (fits && this.#host.budget.hasRoom) return true;
    this.#refusedRoom = true;
    if (fits) this.#host.awaitRoom(this);
    return false;
  }

  send(frame: Frame): void {
    if (this.#early !== undefined) {
      this.#early.push(frame);
      return;
    }
    if (this.#state !== "open") return;
    try {
      this.#writer.send(frame);
    } catch (error) {
      this.#host.logger.error(
        { ...this.#fields(), type: frame.type, err: error },
        "unsendable frame",
      );
      // Dispatch is in the middle of its work: not now.
      setImmediate(() => {
        this.fail("internal", "A frame for this client can't be encoded.");
      });
      return;
    }
    if (this.#writer.pendingControlBytes > floodBytes) this.#socket.pause();
  }

  // from the listener

  /** The budget has room again. */
  roomAgain(): void {
    this.#refusedRoom = false;
    if (this.#state === "open" && this.#sessionId !== undefined) {
      this.#host.dispatch.writable(this.#host.now(), this.#sessionId);
    }
  }

  goaway(graceMs: number, reason: string): void {
    this.send({ type: "goaway", graceMs, reason });
  }

  /** What time brings: hello, sign of life, a reader that is too slow for `patienceMs`, the end of a farewell. */
  sweep(now: number, patienceMs: number): void {
    if (this.#state === "closing") {
      if (now - this.#sinceMs >= lingerMs) this.#socket.destroy();
    } else if (this.#writer.stalledMs(now) >= patienceMs) {
      this.cut("too-slow", `nothing was read for ${Math.round(this.#writer.stalledMs(now))} ms`);
    } else if (this.#state === "hello") {
      if (now - this.#sinceMs >= helloTimeoutMs) {
        this.fail("protocol-error", `No hello came within ${helloTimeoutMs} ms.`);
      }
    } else if (!this.#socket.isPaused()) {
      this.#heartbeat(now);
    }
  }

  #heartbeat(now: number): void {
    const { heartbeatIntervalMs } = this.#host.limits;
    if (now - Math.max(this.#heardAt, this.#pingedAt) < heartbeatIntervalMs) return;
    if (this.#pings >= maxMissedHeartbeats) {
      this.fail("heartbeat-lost", `${this.#pings} pings in a row had no answer.`);
      return;
    }
    this.#pings++;
    this.#pingedAt = now;
    this.#nonce = (this.#nonce + 1) % 0x1_0000_0000;
    this.send({ type: "ping", nonce: this.#nonce });
  }

  /** Says why, and closes when the peer has read it or `lingerMs` are over. Leases run on. */
  fail(code: ErrorCode, message: string): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    const level = code === "session-taken-over" || code === "draining" ? "debug" : "warn";
    this.#host.logger[level]({ ...this.#fields(), code }, message);
    this.#host.failed(code);
    this.#farewell(() => {
      this.#writer.send({ type: "error", code, message, records: [] });
    });
  }

  /** Closes at once: the peer does not read, so there is nobody to say why to. Leases run on. */
  cut(code: ErrorCode, message: string): void {
    if (this.#state === "closed") return;
    this.#host.logger.warn({ ...this.#fields(), code }, `closed: ${message}`);
    this.#host.failed(code);
    this.#socket.destroy();
    this.#closed();
  }

  #farewell(say: () => void): void {
    this.#detach();
    this.#state = "closing";
    this.#sinceMs = this.#host.now();
    say();
    // Unread bytes at our end would turn the close into a reset, and our words could be lost.
    this.#socket.resume();
    this.#writer.whenDrained(() => {
      this.#socket.end();
    });
  }

  // bytes in

  #received(chunk: Buffer): void {
    if (this.#state === "closing" || this.#state === "closed") return;
    this.#heardAt = this.#host.now();
    this.#pings = 0;
    let bytes = chunk;
    if (this.#first !== undefined) {
      bytes = Buffer.concat([this.#first, chunk]);
      this.#first = bytes;
      if (bytes.byteLength < sniffBytes) return;
      const stranger = looksLikeOtherProtocol(bytes);
      if (stranger !== undefined) {
        this.#turnAway(stranger);
        return;
      }
      this.#first = undefined;
    }
    try {
      for (const frame of this.#decoder.push(bytes)) this.#handle(frame);
    } catch (error) {
      if (error instanceof WireError) {
        this.fail(errorCodeFor(error), error.message);
      } else {
        this.#host.logger.error({ ...this.#fields(), err: error }, "a frame could not be handled");
        this.fail("internal", "The proxy failed at a frame of this client; its log says more.");
      }
    }
  }

  #turnAway(stranger: keyof typeof strangerWords): void {
    if (stranger !== "http") {
      this.fail("not-a-client", strangerWords[stranger]);
      return;
    }
    this.#host.logger.warn(this.#fields(), strangerWords.http);
    this.#host.failed("not-a-client");
    this.#farewell(() => {
      this.#writer.sendRaw(httpAnswer());
    });
  }

  #handle(frame: Frame): void {
    if (this.#state === "hello") {
      if (frame.type === "hello") this.#hello(frame);
      else this.fail("protocol-error", `The first frame is ${frame.type}; hello is expected.`);
      return;
    }
    // A frame behind one that ended the connection.
    if (this.#state !== "open" || this.#sessionId === undefined) return;
    if (forDispatch.has(frame.type)) {
      this.#dispatch(this.#sessionId, frame);
    } else if (frame.type === "ping") {
      this.send({ type: "pong", nonce: frame.nonce });
    } else if (frame.type === "goaway") {
      this.#leaving = true;
    } else if (frame.type !== "pong") {
      this.fail("protocol-error", `A client may not send ${frame.type} here.`);
    }
  }

  #dispatch(sessionId: string, frame: Frame): void {
    const { budget, connections, dispatch, now } = this.#host;
    const wrongMode =
      (frame.type === "pull" && this.#mode === "push") ||
      (frame.type === "credit" && this.#mode === "pull");
    if (wrongMode) {
      this.fail("protocol-error", `A client in mode ${this.#mode} may not send ${frame.type}.`);
    } else if (frame.type === "pull") {
      const maxBytes = Math.min(frame.maxBytes, budget.pullBytes(connections));
      dispatch.receive(now(), sessionId, { ...frame, maxBytes });
    } else {
      dispatch.receive(now(), sessionId, frame);
    }
  }

  #hello(hello: Hello): void {
    const { dispatch, instance, limits, logger } = this.#host;
    const verdict = this.#host.check(hello);
    this.#clientName = hello.clientName;
    if (!verdict.ok) {
      this.fail(verdict.code, verdict.message);
      return;
    }
    this.#decoder.maxFrameBytes = limits.maxFrameBytes;
    this.#mode = hello.mode;
    this.#early = [];
    const now = this.#host.now();
    let sessionId = hello.sessionId;
    if (sessionId !== "") this.#host.takeOver(sessionId);
    const resumed = sessionId !== "" && dispatch.resume(now, sessionId, this);
    if (!resumed) {
      sessionId = newSessionId();
      dispatch.open(now, { sessionId, clientName: hello.clientName, mode: hello.mode }, this);
    }
    this.#sessionId = sessionId;
    this.#host.opened(sessionId, this);
    const early = this.#early;
    this.#early = undefined;
    this.#state = "open";
    const { protocol } = verdict;
    this.send({ type: "welcome", protocol, features: [], sessionId, resumed, instance, limits });
    for (const frame of early) this.send(frame);
    logger.debug({ ...this.#fields(), mode: hello.mode, resumed }, "a worker connected");
    // It was not writable until now.
    this.roomAgain();
  }

  // ends

  #progressed(): void {
    if (this.#socket.isPaused() && this.#writer.pendingControlBytes <= floodBytes / 2) {
      this.#socket.resume();
    }
    if (this.#refusedRoom && this.#writer.pendingBytes <= this.#ownBytes / 2) {
      if (this.#host.budget.hasRoom) this.roomAgain();
      else this.#host.awaitRoom(this);
    }
    this.#host.progressed();
  }

  /** Dispatch forgets this connection; the session lives on in its leases unless the client left on purpose. */
  #detach(): void {
    if (this.#state !== "open" || this.#sessionId === undefined) return;
    const now = this.#host.now();
    if (this.#leaving) this.#host.dispatch.close(now, this.#sessionId);
    else this.#host.dispatch.detach(now, this.#sessionId, this);
  }

  #closed(): void {
    if (this.#state === "closed") return;
    this.#detach();
    this.#state = "closed";
    this.#writer.close();
    this.#host.ended(this, this.#sessionId);
  }

  #fields(): object {
    return { peer: this.#peer, client: this.#clientName };
  }
}

/** 192 random bits: who knows it may go on with the session's leases. */
function newSessionId(): string {
  return randomBytes(24).toString("base64url");
}
