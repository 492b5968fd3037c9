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
  /** Its name in the registry, a pod's name say; its address where the proxies were given as a list. */
  readonly instance: string;
  /** host:port */
  readonly address: string;
  /** Of the connection to it. */
  readonly state: LinkState;
  /** Partitions that it says it serves, in ascending order. */
  readonly partitions: readonly number[];
  /** Messages that this client holds from it. */
  readonly inFlight: number;
}

/** What a client tells of itself, by the event's name; each listener gets one value. Listeners that throw are logged. */
export interface ClientEvents {
  /** A proxy has welcomed us. `address` is its host:port; `resumed`: an earlier session went on with its leases. */
  readonly proxyConnected: {
    readonly instance: string;
    readonly address: string;
    readonly resumed: boolean;
  };
  /** The connection to a proxy ended. It is tried again while the proxy is in the registry; held messages are not lost by it alone. */
  readonly proxyLost: { readonly instance: string; readonly address: string };
  /** No proxy is connected. */
  readonly waiting: Record<string, never>;
  /** A message is no longer ours, and may be delivered to somebody else; its signal aborts. */
  readonly leaseLost: { readonly message: Message; readonly reason: LossReason };
  /** Not fatal: a proxy refuses this client (token, target, version), or sent what it should not. Said once until it changes. */
  readonly error: ClientError;
  /** The client's state has changed, to this. */
  readonly state: { readonly state: ClientState };
}

/** How long an end may take. */
export interface EndOptions {
  /** For everything together, in ms. Default 30,000. close() may take 200 more to hand back what is on its way. */
  readonly timeoutMs?: number;
}

/** Connected to all proxies of a group; made by connect(). */
export interface ProxyClient {
  /** What it is doing right now; changes are told by the event `state`. */
  readonly state: ClientState;
  /** All proxies that it knows, those that it can't reach included: a snapshot, made at each reading. */
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
  /** Calls `listener` at each event of this name from now on, until off(). */
  on<Name extends keyof ClientEvents>(
    name: Name,
    listener: (event: ClientEvents[Name]) => void,
  ): this;
  /** Ends what on() began with the same two arguments; without that it does nothing. */
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
