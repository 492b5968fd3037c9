import {
  type ChildrenListener,
  type ChildrenWatch,
  type ChildrenWatchOptions,
  FollowedChildren,
} from "./children-watch.ts";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { HeldEphemeral, type EphemeralNode } from "./ephemeral-node.ts";
import { type Logger, silentLogger } from "./logger.ts";
import { createWithParents, put, removeTree } from "./node-operations.ts";
import { checkPath } from "./paths.ts";
import { parseServers } from "./servers.ts";
import { Waiters } from "./waiters.ts";
import { codeOf, ZooKeeperError } from "./zookeeper-error.ts";

export interface ZooKeeperSessionOptions {
  /** `host:port,host:port`; the port is 2181 when left out. A chroot is refused. */
  readonly servers: string;
  /** After so long without contact the server ends the session. Default 10,000 ms; the server has the last word. */
  readonly sessionTimeoutMs?: number;
  /** How long an operation waits for a connection, and then for its answer. Default 10,000 ms. */
  readonly operationTimeoutMs?: number;
  /** Nodes that are made get an ACL that lets in only who has these credentials, `user:password`. */
  readonly auth?: { readonly scheme: "digest"; readonly credentials: string };
  readonly logger?: Logger;
  /** For the spread of reconnects; default Math.random. */
  readonly random?: () => number;
}

/** `suspended`: was connected, and is connecting again. */
export type SessionState = "idle" | "connecting" | "connected" | "suspended" | "closed";

export interface ZooKeeperNode {
  readonly data: Buffer;
  readonly version: number;
  /** When it was made, by the server's clock: milliseconds since 1970. */
  readonly ctimeMs: number;
  /** When its data were last set, likewise. */
  readonly mtimeMs: number;
  readonly numChildren: number;
  readonly ephemeral: boolean;
}

interface Participant {
  resume(connection: Connection): Promise<void>;
  suspend(): void;
  stop(): void;
}

const closeWithinMs = 3_000;
const afterAuthFailureMs = 5_000;

/**
 * A ZooKeeper session that outlives ZooKeeper's own: when the server ends it, another follows, with the ephemeral nodes
 * made again and the watches armed again before it says `connected`. Operations wait while it is not connected, and
 * those that may be repeated are, when the connection is lost under them; all fail with a ZooKeeperError after
 * `operationTimeoutMs`.
 */
export class ZooKeeperSession {
  readonly #options: ConnectionOptions;
  readonly #logger: Logger;
  readonly #participants = new Set<Participant>();
  readonly #listeners = new Set<(state: SessionState) => void>();
  readonly #waiters = new Waiters<Connection>();
  #state: SessionState = "idle";
  /** The one connection that is listened to. */
  #connection: Connection | undefined;
  /** Counts ups and downs, so that what was begun in one is not finished in another. */
  #generation = 0;
  #retry: NodeJS.Timeout | undefined;
  #authFailed = false;
  #closing: Promise<void> | undefined;

  constructor(options: ZooKeeperSessionOptions) {
    const { sessionTimeoutMs = 10_000, operationTimeoutMs = 10_000 } = options;
    for (const [name, value] of Object.entries({ sessionTimeoutMs, operationTimeoutMs })) {
      if (!Number.isSafeInteger(value) || value < 1) {
        throw new ZooKeeperError(
          "bad-arguments",
          `${name}: found ${value}, allowed is a whole number of ms from 1`,
        );
      }
    }
    this.#logger = options.logger ?? silentLogger;
    this.#options = {
      servers: parseServers(options.servers),
      sessionTimeoutMs,
      operationTimeoutMs,
      auth: options.auth,
      logger: this.#logger,
      random: options.random ?? Math.random,
    };
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Calls `listener` at every change of state. Returns what ends that. */
  onState(listener: (state: SessionState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Begins to connect, and goes on until `close()`. An outage is no error. */
  start(): void {
    if (this.#state !== "idle") return;
    this.#setState("connecting");
    this.#open();
  }

  /** Resolves when connected. Rejects: `unavailable` after `timeoutMs` (default: never), `auth`, `closed`, or the signal's reason. */
  async connected(options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<void> {
    await this.#connectedOne("connect", options.timeoutMs, options.signal);
  }

  /** Ends the session at the server too, so that its ephemeral nodes go at once; takes 3 s at the most. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#generation++;
    clearTimeout(this.#retry);
    for (const participant of this.#participants) participant.stop();
    this.#participants.clear();
    this.#setState("closed");
    this.#waiters.reject(closedError("waiting for ZooKeeper"));
    await connection?.close(closeWithinMs);
  }

  #open(): void {
    const connection = new Connection(this.#options, {
      up: () => void this.#up(connection),
      down: () => this.#down(connection),
      gone: (why) => this.#gone(connection, why),
    });
    this.#connection = connection;
    connection.open();
  }

  async #up(connection: Connection): Promise<void> {
    if (connection !== this.#connection) return;
    this.#authFailed = false;
    const generation = ++this.#generation;
    const resumed = Promise.allSettled(
      [...this.#participants].map((one) => one.resume(connection)),
    );
    // One that does not get on must not keep the others' operations waiting.
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise((resolve) => {
      timer = setTimeout(resolve, this.#options.operationTimeoutMs);
    });
    await Promise.race([resumed, enough]);
    clearTimeout(timer);
    if (generation !== this.#generation) return;
    this.#logger.info({ session: connection.sessionId }, "connected to ZooKeeper");
    this.#setState("connected");
    this.#waiters.resolve(connection);
  }

  #down(connection: Connection): void {
    if (connection !== this.#connection) return;
    this.#generation++;
    for (const participant of this.#participants) participant.suspend();
    if (this.#state !== "connected") return;
    this.#logger.warn({}, "the connection to ZooKeeper is lost; reconnecting");
    this.#setState("suspended");
  }

  #gone(connection: Connection, why: "expired" | "auth"): void {
    if (connection !== this.#connection) return;
    this.#down(connection);
    this.#connection = undefined;
    if (why === "expired") {
      this.#logger.warn(
        { session: connection.sessionId },
        "the ZooKeeper session has expired; beginning another",
      );
      return this.#open();
    }
    if (!this.#authFailed)
      this.#logger.error({}, "ZooKeeper refuses the credentials; trying again every 5 s");
    this.#authFailed = true;
    this.#waiters.reject(authError("connect"));
    this.#retry = setTimeout(() => this.#open(), afterAuthFailureMs);
  }

  #setState(state: SessionState): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of this.#listeners) {
      try {
        listener(state);
      } catch (error) {
        // It must not reach the library, which is in the middle of something.
        this.#logger.error({ err: error, state }, "a listener of the session's state failed");
      }
    }
  }

  async #connectedOne(what: string, timeoutMs?: number, signal?: AbortSignal): Promise<Connection> {
    if (this.#state === "connected" && this.#connection !== undefined) return this.#connection;
    if (this.#state === "closed") throw closedError(what);
    if (this.#authFailed) throw authError(what);
    return this.#waiters.wait(
      timeoutMs,
      () =>
        new ZooKeeperError(
          "unavailable",
          `${what}: not connected to ZooKeeper for ${timeoutMs} ms`,
        ),
      signal,
    );
  }

  /** `lost`: an earlier try may have been carried out. Only what is `repeatable` gets another one. */
  async #run<T>(
    what: string,
    path: string,
    repeatable: boolean,
    attempt: (connection: Connection, lost: boolean) => Promise<T>,
  ): Promise<T> {
    checkPath(path);
    const deadline = performance.now() + this.#options.operationTimeoutMs;
    for (let lost = false; ; lost = true) {
      const leftMs = Math.max(1, Math.round(deadline - performance.now()));
      const connection = await this.#connectedOne(`${what} ${path}`, leftMs);
      try {
        return await attempt(connection, lost);
      } catch (error) {
        if (this.#closing !== undefined) throw closedError(`${what} ${path}`, error);
        if (codeOf(error) !== "unavailable" || !repeatable) throw error;
        if (performance.now() >= deadline) throw error;
      }
    }
  }

  /** undefined: there is no such node. */
  get(path: string): Promise<ZooKeeperNode | undefined> {
    return this.#run("get", path, true, async (connection) => {
      try {
        const { data, stat } = await connection.get(path);
        const { ephemeralOwner, ...rest } = stat;
        return { data, ...rest, ephemeral: ephemeralOwner !== "" };
      } catch (error) {
        return absent(error, undefined);
      }
    });
  }

  /** The names of its children in no order; undefined: there is no such node. */
  children(path: string): Promise<string[] | undefined> {
    return this.#run("list", path, true, (connection) =>
      connection.children(path).catch((error: unknown) => absent(error, undefined)),
    );
  }

  /**
   * `parents` makes missing ones. Rejects with `no-node` when a parent is missing without. When a lost answer made it try
   * twice, a node with the same data counts as created.
   */
  create(
    path: string,
    data: Buffer = Buffer.alloc(0),
    options: { parents?: boolean } = {},
  ): Promise<"created" | "exists"> {
    return this.#run("create", path, true, async (connection, lost) => {
      try {
        if (options.parents === true) await createWithParents(connection, path, data, "persistent");
        else await connection.create(path, data);
        return "created";
      } catch (error) {
        if (codeOf(error) !== "exists") throw error;
        return lost && (await connection.get(path)).data.equals(data) ? "created" : "exists";
      }
    });
  }

  /** False: there is no such node. Rejects with `bad-version` when it has another version than `version`. */
  set(path: string, data: Buffer, options: { version?: number } = {}): Promise<boolean> {
    const { version } = options;
    return this.#run("set", path, version === undefined, async (connection) => {
      try {
        await connection.set(path, data, version);
        return true;
      } catch (error) {
        return absent(error, false);
      }
    });
  }

  /** Creates it, parents too, or sets its data. */
  put(path: string, data: Buffer): Promise<void> {
    return this.#run("put", path, true, (connection) => put(connection, path, data));
  }

  /** False: it was not there. Rejects with `not-empty`, and with `bad-version` when it has another version than `version`. */
  remove(path: string, options: { version?: number } = {}): Promise<boolean> {
    const { version } = options;
    return this.#run("remove", path, version === undefined, async (connection, lost) => {
      try {
        await connection.remove(path, version);
        return true;
      } catch (error) {
        return absent(error, lost);
      }
    });
  }

  /** Removes it and everything below. False: it was not there. */
  removeTree(path: string): Promise<boolean> {
    return this.#run("remove", path, true, (connection) => removeTree(connection, path));
  }

  /** Keeps an ephemeral node there, its parents made, until it is closed. `data` is asked each time it is written. */
  holdEphemeral(path: string, data: (() => Buffer) | Buffer): EphemeralNode {
    this.#checkOpen(path);
    const node = new HeldEphemeral(path, data, this.#logger, () => this.#participants.delete(node));
    this.#join(node);
    return node;
  }

  /**
   * Calls `listener` with name -> data of the children as soon as they are known and whenever they change. An outage
   * changes nothing; a node that does not exist has no children, and is noticed when it comes into being.
   */
  watchChildren(
    path: string,
    listener: ChildrenListener,
    options: ChildrenWatchOptions = {},
  ): ChildrenWatch {
    this.#checkOpen(path);
    const watch = new FollowedChildren(path, listener, options, this.#logger, () =>
      this.#participants.delete(watch),
    );
    this.#join(watch);
    return watch;
  }

  #checkOpen(path: string): void {
    checkPath(path);
    if (this.#state === "closed") throw closedError(path);
  }

  #join(participant: Participant): void {
    this.#participants.add(participant);
    const connection = this.#connection;
    if (connection?.isUp === true) void participant.resume(connection);
  }
}

function absent<T>(error: unknown, value: T): T {
  if (codeOf(error) === "no-node") return value;
  throw error;
}

function closedError(what: string, cause?: unknown): ZooKeeperError {
  return new ZooKeeperError("closed", `${what}: the ZooKeeper session is closed`, { cause });
}

function authError(what: string): ZooKeeperError {
  return new ZooKeeperError(
    "auth",
    `${what}: ZooKeeper refuses the credentials; check user:password`,
  );
}
