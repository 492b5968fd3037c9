import { connect as connectTcp, isIP, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { connect as connectTls } from "node:tls";
import {
  createFrameDecoder,
  encodeFrame,
  type ErrorFrame,
  type Frame,
  type FrameDecoder,
  type Hello,
  maxMissedHeartbeats,
  type Welcome,
} from "@kafkaproxy/wire";
import { ClientError, type ClientErrorCode, wordsOf } from "../client-error.ts";
import type { TlsOptions } from "../config.ts";

/** Where a proxy listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
}

/** Every method is called at most as the names say, and nothing after `closed`. */
export interface ConnectionEvents {
  welcome(welcome: Welcome): void;
  /** Any frame after welcome but ping and pong. */
  frame(frame: Frame): void;
  /** Whether silence matters now more than usual: something is held. */
  holding(): boolean;
  /** Over, for this reason; also when it never came to a welcome. */
  closed(error: ClientError): void;
}

export interface ConnectionOptions {
  readonly address: Address;
  readonly hello: Hello;
  readonly tls: TlsOptions | undefined;
  /** For all up to welcome. */
  readonly timeoutMs: number;
  readonly events: ConnectionEvents;
}

/** Bytes that wait for the kernel, above which the proxy is too slow to be asked for more. */
const slowAboveBytes = 1024 * 1024;

/** One TCP or TLS connection to a proxy, from connecting to its end. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #decoder: FrameDecoder = createFrameDecoder();
  readonly #deadline: NodeJS.Timeout;
  #heartbeat: NodeJS.Timeout | undefined;
  #welcomed = false;
  #ended = false;
  #corked = false;
  #receivedAt = performance.now();
  #unanswered = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { timeoutMs } = options;
    this.#deadline = setTimeout(() => {
      this.#fail("unreachable", `did not welcome us within ${timeoutMs} ms`);
    }, timeoutMs);
    this.#socket = this.#open();
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      // What the network says has a syscall; what TLS says has none, or is called a protocol error.
      const byTls = error.syscall === undefined || error.code === "EPROTO";
      const code = options.address.tls && byTls ? "untrusted" : "unreachable";
      this.#fail(code, `can't be reached: ${wordsOf(error)}`, error);
    });
    this.#socket.on("close", () => this.#fail("unreachable", "closed the connection"));
  }

  /** Too much waits to be written. */
  get slow(): boolean {
    return this.#socket.writableLength > slowAboveBytes;
  }

  /** Frames of one turn of the event loop go out together. */
  send(frame: Frame): void {
    if (this.#ended) {
      return;
    }
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    for (const chunk of encodeFrame(frame)) {
      this.#socket.write(chunk);
    }
  }

  /** Sends what waits, then ends; `closed` is not called. The proxy has a second to take it. */
  end(): void {
    if (this.#stop()) {
      const forced = setTimeout(() => this.#socket.destroy(), 1_000);
      this.#socket.once("close", () => clearTimeout(forced));
      this.#socket.end();
    }
  }

  #open(): Socket {
    const { address, tls } = this.#options;
    const { host, port } = address;
    const hello = () => {
      try {
        this.send(this.#options.hello);
      } catch (error) {
        this.#fail("protocol", `can't be greeted: ${wordsOf(error)}`, error);
      }
    };
    if (!address.tls) {
      return connectTcp({ host, port }, hello);
    }
    const serverName = tls?.serverName ?? (isIP(host) === 0 ? host : undefined);
    return connectTls(
      {
        host,
        port,
        rejectUnauthorized: tls?.rejectUnauthorized ?? true,
        ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
        ...(serverName === undefined ? {} : { servername: serverName }),
      },
      hello,
    );
  }

  #receive(chunk: Buffer): void {
    this.#receivedAt = performance.now();
    this.#unanswered = 0;
    if (this.#ended) {
      return;
    }
    let frames: Frame[];
    try {
      frames = this.#decoder.push(chunk);
    } catch (error) {
      this.#fail("protocol", `sent what is no frame: ${wordsOf(error)}`, error);
      return;
    }
    for (const frame of frames) {
      if (this.#ended) {
        return;
      }
      this.#handle(frame);
    }
  }

  #handle(frame: Frame): void {
    if (frame.type === "error" && frame.records.length === 0) {
      this.#fail(codeOf(frame), `refuses: ${frame.message} (${frame.code})`, frame.code);
    } else if (!this.#welcomed) {
      if (frame.type === "welcome") {
        this.#welcome(frame);
      } else {
        this.#fail("protocol", `sent ${frame.type} before welcome`);
      }
    } else if (frame.type === "ping") {
      this.send({ type: "pong", nonce: frame.nonce });
    } else if (frame.type !== "pong") {
      this.#options.events.frame(frame);
    }
  }

  #welcome(welcome: Welcome): void {
    clearTimeout(this.#deadline);
    this.#welcomed = true;
    const { heartbeatIntervalMs, ackTimeoutMs, maxFrameBytes } = welcome.limits;
    this.#decoder.maxFrameBytes = maxFrameBytes;
    const urgentMs = Math.min(heartbeatIntervalMs, 2 * ackTimeoutMs);
    this.#heartbeat = setInterval(
      () => this.#beat(this.#options.events.holding() ? urgentMs : heartbeatIntervalMs),
      Math.max(10, urgentMs / 2),
    );
    this.#options.events.welcome(welcome);
  }

  /** A lease is worth nothing at a proxy that does not answer: with something held, silence is asked about sooner. */
  #beat(silenceMs: number): void {
    if (performance.now() - this.#receivedAt < silenceMs * (this.#unanswered + 1)) {
      return;
    }
    if (this.#unanswered >= maxMissedHeartbeats) {
      this.#fail("unreachable", `did not answer ${maxMissedHeartbeats} pings`);
      return;
    }
    this.#unanswered++;
    this.send({ type: "ping", nonce: this.#unanswered });
  }

  #fail(code: ClientErrorCode, what: string, cause?: unknown): void {
    if (!this.#stop()) {
      return;
    }
    this.#socket.destroy();
    const { host, port } = this.#options.address;
    const message = `The proxy at ${host}:${port} ${what}.`;
    this.#options.events.closed(
      new ClientError(code, message, cause === undefined ? undefined : { cause }),
    );
  }

  /** False when it had ended before. */
  #stop(): boolean {
    if (this.#ended) {
      return false;
    }
    this.#ended = true;
    clearTimeout(this.#deadline);
    clearInterval(this.#heartbeat);
    return true;
  }
}

function codeOf({ code }: ErrorFrame): ClientErrorCode {
  switch (code) {
    case "unauthorized":
    case "wrong-target":
      return code;
    case "protocol-version":
    case "protocol-error":
    case "frame-too-large":
    case "not-a-client":
      return "protocol";
    case "heartbeat-lost":
    case "too-slow":
    case "session-taken-over":
      return "unreachable";
    default:
      return "refused";
  }
}

/** Whether nobody listens there: the process is dead, not only slow or cut off. */
export function saysNobodyListens({ cause }: ClientError): boolean {
  return cause instanceof Error && "code" in cause && cause.code === "ECONNREFUSED";
}

/** Whether the session is in use by a newer connection, and must not be resumed. */
export function saysTakenOver({ cause }: ClientError): boolean {
  return cause === "session-taken-over";
}
