import type { LossReason } from "./book/index.ts";
import type { ClientError } from "./client-error.ts";
import type {
  Handler,
  MessagesOptions,
  PullOptions,
  Worker,
  WorkOptions,
} from "./consume/index.ts";
import type { LinkState } from "./link/index.ts";
import type { Message } from "./message.ts";

/**
 * - `connecting`: connect() has not returned yet;
 * - `connected`: at least one proxy is connected;
 * - `waiting`: none is, and the client goes on trying;
 * - `draining`, `closed`: by drain() and close().
 */
export type ClientState = "connecting" | "connected" | "waiting" | "draining" | "closed";

/** One proxy, as the client sees it. */
export interface ProxyInfo {
  readonly instance: string;
  /** host:port */
  readonly address: string;
  readonly state: LinkState;
  /** Partitions that it says it serves. */
  readonly partitions: readonly number[];
  /** Messages that this client holds from it. */
  readonly inFlight: number;
}

export interface ClientEvents {
  /** `resumed`: an earlier session went on with its leases. */
  readonly proxyConnected: {
    readonly instance: string;
    readonly address: string;
    readonly resumed: boolean;
  };
  readonly proxyLost: { readonly instance: string; readonly address: string };
  /** No proxy is connected. */
  readonly waiting: Record<string, never>;
  readonly leaseLost: { readonly message: Message; readonly reason: LossReason };
  /** Not fatal: a proxy refuses this client (token, target, version), or sent what it should not. Said once until it changes. */
  readonly error: ClientError;
  readonly state: { readonly state: ClientState };
}

export interface EndOptions {
  /** For everything together, in ms. Default 30,000. close() may take 200 more to hand back what is on its way. */
  readonly timeoutMs?: number;
}

/** Connected to all proxies of a group; made by connect(). */
export interface ProxyClient {
  readonly state: ClientState;
  readonly proxies: readonly ProxyInfo[];
  /**
   * Runs `handler` for messages, `concurrency` at a time, until drained. Returning acks, throwing nacks.
   * Leases are renewed while handlers run.
   * @throws ClientError `bad-arguments`, `closed`.
   */
  work(handler: Handler, options?: WorkOptions): Worker;
  /**
   * Messages one by one, each to be settled by its ack, nack or reject. Leases of what was yielded are renewed.
   * @throws ClientError `bad-arguments`, `closed`.
   */
  messages(options?: MessagesOptions): AsyncIterableIterator<Message>;
  /**
   * Up to `max` messages, as soon as there is at least one; none after `waitMs`. Their leases are **not** renewed:
   * ack within the ack time-out (3 s by default), or extend. In pull mode only.
   * @throws ClientError `bad-arguments`, `closed`, `aborted`.
   */
  pull(options?: PullOptions): Promise<Message[]>;
  on<Name extends keyof ClientEvents>(
    name: Name,
    listener: (event: ClientEvents[Name]) => void,
  ): this;
  off<Name extends keyof ClientEvents>(
    name: Name,
    listener: (event: ClientEvents[Name]) => void,
  ): this;
  /**
   * Ends all work(), messages() and pull(): takes nothing more, hands back what has not started, waits for
   * what runs and until acks are durable. The client stays connected; close() it then. Never rejects.
   */
  drain(options?: EndOptions): Promise<void>;
  /** Drains, then ends the sessions and the connections. Never rejects; a second call waits for the first. */
  close(options?: EndOptions): Promise<void>;
}
