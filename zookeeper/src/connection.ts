// One ZooKeeper session of the server, from its first connect to its end; another one follows it (session.ts).
import zookeeper, { type ACL, type Stat } from "node-zookeeper-client";
import { LibraryClient, managerStates } from "./library.ts";
import type { Logger } from "./logger.ts";
import { reconnectDelayMs } from "./reconnect-delay.ts";
import type { ServerAddress } from "./servers.ts";
import { ZooKeeperError } from "./zookeeper-error.ts";

export interface ConnectionOptions {
  readonly servers: readonly ServerAddress[];
  readonly sessionTimeoutMs: number;
  readonly operationTimeoutMs: number;
  readonly auth: { readonly scheme: "digest"; readonly credentials: string } | undefined;
  readonly logger: Logger;
  readonly random: () => number;
}

export interface ConnectionEvents {
  /** Connected, in the same session as before if there was one. Watches are gone. */
  up(): void;
  down(): void;
  /** The session is no more; neither is this connection. */
  gone(why: "expired" | "auth"): void;
}

export interface NodeStat {
  readonly version: number;
  /** When it was made, by the server's clock: milliseconds since 1970. */
  readonly ctimeMs: number;
  /** When its data were last set, likewise. */
  readonly mtimeMs: number;
  readonly numChildren: number;
  /** The session that an ephemeral node belongs to, in hex; "" for others. */
  readonly ephemeralOwner: string;
}

/** A server that is just starting may take a connection and forget it. */
const handshakeLimitMs = 4_000;

type Done<T> = (error: unknown, value?: T) => void;
/** Not the library's own type: our declarations must not need its types. */
type Watcher = (event: { readonly path: string }) => void;

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  readonly #library: LibraryClient;
  readonly #waiting = new Set<(error: ZooKeeperError) => void>();
  readonly #acl: ACL[];
  #watchdog: NodeJS.Timeout | undefined;
  #connectTimer: NodeJS.Timeout | undefined;
  #nextServer: number;
  #attempts = 0;
  #heardAt = 0;
  #up = false;
  #hasSession = false;
  #closing = false;
  #ended: (() => void) | undefined;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
    const { servers, sessionTimeoutMs, auth, random } = options;
    this.#nextServer = Math.floor(random() * servers.length);
    this.#library = new LibraryClient(servers, sessionTimeoutMs, {
      nextServer: (connect) => this.#connectLater(connect),
      heard: () => (this.#heardAt = performance.now()),
      state: (state) => this.#onState(state),
      broken: (error) => {
        options.logger.error({ err: error }, "an answer of ZooKeeper cannot be read; reconnecting");
      },
    });
    // Missing in the types.
    const acls = zookeeper.ACL as unknown as Record<"OPEN_ACL_UNSAFE" | "CREATOR_ALL_ACL", ACL[]>;
    this.#acl = auth === undefined ? acls.OPEN_ACL_UNSAFE : acls.CREATOR_ALL_ACL;
    if (auth !== undefined) {
      this.#library.client.addAuthInfo(auth.scheme, Buffer.from(auth.credentials));
    }
  }

  get isUp(): boolean {
    return this.#up;
  }

  /** In hex. */
  get sessionId(): string {
    return this.#library.client.getSessionId().toString("hex");
  }

  open(): void {
    this.#library.client.connect();
    // The library notices a server that does not answer never; Java's client after two thirds of the session timeout.
    const tickMs = Math.min(1_000, Math.max(50, this.#options.sessionTimeoutMs / 6));
    this.#heardAt = performance.now();
    this.#watchdog = setInterval(() => this.#watch(), tickMs);
  }

  #watch(): void {
    const silentMs = performance.now() - this.#heardAt;
    const readLimitMs = (this.#library.sessionTimeoutMs * 2) / 3;
    const limitMs = this.#up ? readLimitMs : Math.min(readLimitMs, handshakeLimitMs);
    if (this.#connectTimer !== undefined) return; // between two attempts there is nothing to hear
    if (silentMs > limitMs) {
      this.#options.logger.warn(
        { silentMs: Math.round(silentMs) },
        "ZooKeeper does not answer; reconnecting",
      );
      this.#library.dropSocket();
    } else if (this.#up && silentMs > limitMs / 2) {
      this.exists("/").catch(() => undefined); // only asked so that something comes back; the next tick judges
    }
  }

  #connectLater(connect: (server: ServerAddress) => void): void {
    const { servers, random } = this.#options;
    const round = Math.floor(this.#attempts++ / servers.length);
    this.#connectTimer = setTimeout(
      () => {
        this.#connectTimer = undefined;
        this.#heardAt = performance.now();
        const server = servers[this.#nextServer++ % servers.length];
        if (server !== undefined) connect(server);
      },
      reconnectDelayMs(round, random),
    );
  }

  #onState(state: number): void {
    switch (state) {
      case managerStates.connected:
        this.#attempts = 0;
        this.#up = true;
        this.#hasSession = true;
        return this.#closing ? this.#library.client.close() : this.#events.up();
      case managerStates.disconnected:
        if (!this.#up) return;
        this.#up = false;
        return this.#events.down();
      case managerStates.expired:
      case managerStates.authFailed: {
        this.dispose();
        this.#ended?.();
        return this.#events.gone(state === managerStates.expired ? "expired" : "auth");
      }
      case managerStates.closed:
        return this.#ended?.();
      default:
        return undefined; // connecting, closing: we made it so
    }
  }

  /**
   * Ends the session at the server, so that its ephemerals go at once; reconnects for that if need be, and gives up
   * after `withinMs`: then the server ends it when it times out.
   */
  async close(withinMs: number): Promise<void> {
    if (this.#hasSession) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, withinMs);
        this.#ended = () => {
          clearTimeout(timer);
          resolve();
        };
        this.#closing = true;
        if (this.#up) this.#library.client.close();
      });
    }
    this.dispose();
  }

  /** Drops everything at once; what waits for an answer is rejected. */
  dispose(): void {
    this.#up = false;
    clearInterval(this.#watchdog);
    clearTimeout(this.#connectTimer);
    this.#library.dispose();
    const error = new ZooKeeperError("unavailable", "the ZooKeeper session ended");
    for (const reject of this.#waiting) reject(error);
  }

  get(path: string, watcher?: Watcher): Promise<{ data: Buffer; stat: NodeStat }> {
    return this.#call(`get ${path}`, (client, done) => {
      const read = (error: unknown, data?: Buffer | null, stat?: Stat) =>
        done(error, { data: data ?? Buffer.alloc(0), stat: toNodeStat(stat) });
      if (watcher === undefined) client.getData(path, read);
      else client.getData(path, watcher, read);
    });
  }

  /** undefined: there is no such node. The watcher is called when that changes, too. */
  exists(path: string, watcher?: Watcher): Promise<NodeStat | undefined> {
    return this.#call(`look for ${path}`, (client, done) => {
      const read = (error: unknown, stat?: Stat | null) =>
        done(error, stat === null || stat === undefined ? undefined : toNodeStat(stat));
      if (watcher === undefined) client.exists(path, read);
      else client.exists(path, watcher, read);
    });
  }

  children(path: string, watcher?: Watcher): Promise<string[]> {
    return this.#call(`list ${path}`, (client, done) => {
      if (watcher === undefined) client.getChildren(path, done);
      else client.getChildren(path, watcher, done);
    });
  }

  create(
    path: string,
    data: Buffer,
    kind: "persistent" | "ephemeral" = "persistent",
  ): Promise<void> {
    const { EPHEMERAL, PERSISTENT } = zookeeper.CreateMode;
    const mode = kind === "ephemeral" ? EPHEMERAL : PERSISTENT;
    return this.#call(`create ${path}`, (client, done: Done<void>) =>
      client.create(path, data, this.#acl, mode, (error) => done(error)),
    );
  }

  /** `version` -1: any. */
  set(path: string, data: Buffer, version = -1): Promise<void> {
    return this.#call(`set ${path}`, (client, done: Done<void>) =>
      client.setData(path, data, version, (error) => done(error)),
    );
  }

  /** `version` -1: any. */
  remove(path: string, version = -1): Promise<void> {
    return this.#call(`remove ${path}`, (client, done: Done<void>) =>
      client.remove(path, version, (error) => done(error)),
    );
  }

  /** The node goes and comes back as our ephemeral in one step, so that no watcher finds it missing. */
  replaceByEphemeral(path: string, data: Buffer): Promise<void> {
    return this.#call(`take over ${path}`, (client, done: Done<void>) =>
      client
        .transaction()
        .remove(path)
        .create(path, data, this.#acl, zookeeper.CreateMode.EPHEMERAL)
        .commit((error) => done(error)),
    );
  }

  #call<T>(
    what: string,
    invoke: (client: LibraryClient["client"], done: Done<T>) => void,
  ): Promise<T> {
    if (!this.#up) {
      return Promise.reject(
        new ZooKeeperError("unavailable", `${what}: not connected to ZooKeeper`),
      );
    }
    return new Promise((resolve, reject) => {
      const { operationTimeoutMs } = this.#options;
      const fail = (error: ZooKeeperError) => {
        clearTimeout(timer);
        this.#waiting.delete(fail);
        reject(error);
      };
      const timer = setTimeout(() => {
        const message = `${what}: no answer within ${operationTimeoutMs} ms; it may have been carried out`;
        fail(new ZooKeeperError("timeout", message));
      }, operationTimeoutMs);
      this.#waiting.add(fail);
      try {
        invoke(this.#library.client, (error, value) => {
          if (error !== null && error !== undefined) return fail(this.#errorFor(what, error));
          clearTimeout(timer);
          this.#waiting.delete(fail);
          resolve(value as T);
        });
      } catch (error) {
        fail(new ZooKeeperError("bad-arguments", `${what}: ${String(error)}`, { cause: error }));
      }
    });
  }

  #errorFor(what: string, error: unknown): ZooKeeperError {
    if (error instanceof ZooKeeperError) {
      return new ZooKeeperError(error.code, `${what}: ${error.message}`);
    }
    const { code } = error as { code: number };
    const { answeredErrno } = this.#library;
    // SYSTEMERROR may stand for a number that the library does not know: the answer has the true one.
    const errno = code === -1 && answeredErrno !== 0 ? answeredErrno : code;
    const made = ZooKeeperError.fromServer(what, errno);
    // The session has moved, or the server has lost its leader: this connection is of no more use.
    if (made.code === "unavailable") this.#library.dropSocket();
    return made;
  }
}

function toNodeStat(stat: Stat | undefined): NodeStat {
  if (stat === undefined)
    return { version: -1, ctimeMs: 0, mtimeMs: 0, numChildren: 0, ephemeralOwner: "" };
  const owner = stat.ephemeralOwner.toString("hex");
  return {
    version: stat.version,
    ctimeMs: Number(stat.ctime.readBigInt64BE()),
    mtimeMs: Number(stat.mtime.readBigInt64BE()),
    numChildren: stat.numChildren,
    ephemeralOwner: /^0*$/.test(owner) ? "" : owner,
  };
}
