import { performance } from "node:perf_hooks";
import { defaultLimits, type Frame, type Hello, type SessionLimits } from "@kafkaproxy/wire";
import { ClientError, wordsOf } from "../client-error.ts";
import type { TlsOptions } from "../config.ts";
import { backoffMs } from "./backoff.ts";
import { type Address, Connection, saysNobodyListens, saysTakenOver } from "./connection.ts";

/** A proxy as discovery knows it. */
export interface ProxyAddress extends Address {
  /** Its name in the registry; its address where there is none. */
  readonly instance: string;
}

export const linkStates = ["connecting", "connected", "draining", "closed"] as const;
/**
 * Of the connection to a proxy: `connecting` includes the waits between attempts; `connected`; `draining`: it said
 * goaway, and what is held from it is being finished; `closed`: for good.
 */
export type LinkState = (typeof linkStates)[number];

/** What a link tells and asks its owner. */
export interface LinkOwner {
  /** May throw: a token that can't be read, say. */
  hello(sessionId: string): Hello;
  up(link: Link, resumed: boolean): void;
  frame(link: Link, frame: Frame): void;
  /** The connection is lost; the link goes on. */
  down(link: Link): void;
  /** An attempt failed; the link tries again. */
  failed(link: Link, error: ClientError): void;
  /** Over for good. */
  ended(link: Link): void;
  /** Whether the connection matters right now: something is held or unsettled there. */
  urgent(link: Link): boolean;
}

export interface LinkOptions {
  readonly address: ProxyAddress;
  readonly owner: LinkOwner;
  readonly tls: TlsOptions | undefined;
  readonly connectTimeoutMs: number;
  readonly random: () => number;
}

/** A connection that was up for less than this counts as a failure, or a proxy that refuses late is stormed. */
const stableAfterMs = 1_000;

/** One proxy: keeps a session with it over lost connections, until it is unlisted and gone, or closed. */
export class Link {
  readonly address: ProxyAddress;
  readonly #options: LinkOptions;
  #connection: Connection | undefined;
  #retry: NodeJS.Timeout | undefined;
  #state: LinkState = "connecting";
  #sessionId = "";
  #limits: SessionLimits = defaultLimits;
  #failures = 0;
  #upSince = 0;
  #listed = true;
  #nobodyListens = false;
  /** Attempts that have ended, in success or not. */
  attempts = 0;

  constructor(options: LinkOptions) {
    this.address = options.address;
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  get limits(): SessionLimits {
    return this.#limits;
  }

  get up(): boolean {
    return this.#state === "connected" || this.#state === "draining";
  }

  get gone(): boolean {
    return !this.up && (this.#nobodyListens || !this.#listed);
  }

  get asking(): boolean {
    return this.#state === "connected" && this.#connection?.slow === false;
  }

  start(): void {
    this.#connect();
  }

  send(frame: Frame): void {
    if (this.up) {
      this.#connection?.send(frame);
    }
  }

  /** It is in the registry; `anew`: a new process of that name, so there is no reason to wait any longer. */
  listed(anew: boolean): void {
    const back = anew || !this.#listed;
    this.#listed = true;
    if (back && this.#retry !== undefined) {
      this.#failures = 0;
      this.#connect();
    }
  }

  /** It has left the registry. A connection that works goes on; without one there is nothing to wait for. */
  unlisted(): void {
    this.#listed = false;
    if (this.#retry !== undefined) {
      this.#end();
    }
  }

  /** Ends it for good; what was sent before goes out first. */
  close(reason: string): void {
    if (this.#state === "closed") {
      return;
    }
    this.send({ type: "goaway", graceMs: 0, reason });
    this.#connection?.end();
    this.#end();
  }

  #connect(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const { address, owner, tls, connectTimeoutMs } = this.#options;
    let hello: Hello;
    try {
      if (tls !== undefined && !address.tls) {
        throw new ClientError(
          "untrusted",
          `The proxy ${address.instance} at ${address.host}:${address.port} does not speak TLS, which this client is configured to use: a token would go out in the clear. Configure the proxy's listener, or take the client's tls away.`,
        );
      }
      hello = owner.hello(this.#sessionId);
    } catch (error) {
      this.#failed(
        error instanceof ClientError
          ? error
          : new ClientError("unauthorized", `The token can't be read: ${wordsOf(error)}.`, {
              cause: error,
            }),
      );
      return;
    }
    const connection: Connection = new Connection({
      address,
      hello,
      tls,
      timeoutMs: connectTimeoutMs,
      events: {
        welcome: (welcome) => {
          const resumed = welcome.resumed && welcome.sessionId === this.#sessionId;
          this.#sessionId = welcome.sessionId;
          this.#limits = welcome.limits;
          this.#state = "connected";
          this.#nobodyListens = false;
          this.#upSince = performance.now();
          this.attempts++;
          owner.up(this, resumed);
        },
        frame: (frame) => {
          if (frame.type === "goaway") {
            this.#state = "draining";
          }
          owner.frame(this, frame);
        },
        holding: () => owner.urgent(this),
        closed: (error) => this.#closed(error),
      },
    });
    this.#connection = connection;
  }

  #closed(error: ClientError): void {
    this.#connection = undefined;
    if (saysTakenOver(error)) {
      this.#sessionId = "";
    }
    if (!this.up) {
      this.#nobodyListens = saysNobodyListens(error);
      this.#failed(error);
      return;
    }
    this.#failures = performance.now() - this.#upSince >= stableAfterMs ? 0 : this.#failures + 1;
    this.#state = "connecting";
    this.#options.owner.down(this);
    this.#tryAgain();
  }

  #failed(error: ClientError): void {
    this.attempts++;
    this.#failures++;
    this.#options.owner.failed(this, error);
    this.#tryAgain();
  }

  #tryAgain(): void {
    // The owner may have closed it meanwhile.
    if (this.#state === "closed") {
      return;
    }
    if (!this.#listed) {
      this.#end();
      return;
    }
    const { owner, random } = this.#options;
    const delayMs = backoffMs(this.#failures, owner.urgent(this), random);
    this.#retry = setTimeout(() => this.#connect(), delayMs);
  }

  #end(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#connection = undefined;
    if (this.#state !== "closed") {
      this.#state = "closed";
      this.#options.owner.ended(this);
    }
  }
}
