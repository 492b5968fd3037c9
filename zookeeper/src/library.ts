// The one file that reaches into node-zookeeper-client 1.1.3: what it needs is not to be had from outside.
// A test fails when these internals are not as they are described here.
import type { Socket } from "node:net";
import zookeeper, { type Client } from "node-zookeeper-client";
import { FrameSplitter } from "./frame-splitter.ts";
import type { ServerAddress } from "./servers.ts";
import { ZooKeeperError } from "./zookeeper-error.ts";

/** `ConnectionManager.STATES` of the library. */
export const managerStates = {
  disconnected: 0,
  connecting: 1,
  connected: 2,
  closing: -1,
  closed: -2,
  expired: -3,
  authFailed: -4,
} as const;

interface Packet {
  readonly callback?: (error: Error) => void;
}

interface Manager {
  readonly state: number;
  readonly sessionTimeout: number;
  readonly packetQueue: { queue: Packet[] };
  readonly watcherManager: {
    dataWatchers: object;
    childWatchers: object;
    existenceWatchers: object;
  };
  readonly socket: Socket | undefined;
  readonly connectTimeoutHandler: NodeJS.Timeout | null;
  on(event: "state", listener: (state: number) => void): void;
  removeAllListeners(event: "state"): void;
  connect(): void;
  findNextServer(callback: (server: ServerAddress) => void): void;
  onSocketData(chunk: Buffer): void;
}

/** What a client tells of its life. */
export interface LibraryEvents {
  /** It wants the next server to connect to; `connect` may be called later, once. */
  nextServer(connect: (server: ServerAddress) => void): void;
  /** Bytes arrived: the server lives. */
  heard(): void;
  state(state: number): void;
  /** An answer that the library could not read; the connection is dropped. */
  broken(error: unknown): void;
}

// xid (4), zxid (8), then the error, all behind the length (4).
const errorAt = 16;

/** A client of the library with its faults put right; `Client` is for operations, the rest is here. */
export class LibraryClient {
  readonly client: Client;
  /** The server's error number in the answer that is being handed out: the library knows only some. */
  answeredErrno = 0;
  readonly #manager: Manager;
  readonly #splitter = new FrameSplitter();

  constructor(servers: readonly ServerAddress[], sessionTimeoutMs: number, events: LibraryEvents) {
    // It takes from the string only how many servers there are: which one is next is decided in nextServer.
    const names = servers.map((_, i) => `server-${i}:2181`).join(",");
    // 0 retries: its own retry operations that must not be repeated.
    this.client = zookeeper.createClient(names, { sessionTimeout: sessionTimeoutMs, retries: 0 });
    const manager = managerOf(this.client);
    this.#manager = manager;
    const readFrame = manager.onSocketData.bind(manager);
    // Its own way with parts of frames copies and recurses for every frame in a chunk, and hands what is left of a
    // connection that was cut to the next one.
    manager.onSocketData = (chunk) => {
      events.heard();
      try {
        for (const frame of this.#splitter.push(chunk)) {
          this.#makeErrorKnown(frame);
          readFrame(frame);
        }
      } catch (error) {
        events.broken(error);
        this.dropSocket();
      }
    };
    manager.findNextServer = (connect) => events.nextServer(connect);
    manager.on("state", (state) => {
      if (state === managerStates.disconnected) this.#forgetConnection();
      events.state(state);
    });
  }

  /** As the server granted it. */
  get sessionTimeoutMs(): number {
    return this.#manager.sessionTimeout;
  }

  dropSocket(): void {
    this.#manager.socket?.destroy();
  }

  /** For good, at once and in silence: no more events, no reconnect, no timer, no socket. */
  dispose(): void {
    const manager = this.#manager;
    manager.removeAllListeners("state");
    manager.connect = () => undefined;
    manager.findNextServer = () => undefined;
    if (manager.connectTimeoutHandler !== null) clearTimeout(manager.connectTimeoutHandler);
    this.#forgetConnection();
    this.dropSocket();
  }

  /** An error number that the library does not know makes it throw; it gets SYSTEMERROR instead. */
  #makeErrorKnown(frame: Buffer): void {
    if (this.#manager.state === managerStates.connecting || frame.length < errorAt + 4) return;
    this.answeredErrno = frame.readInt32BE(errorAt);
    if (!knownErrnos.has(this.answeredErrno)) frame.writeInt32BE(-1, errorAt);
  }

  /** What is left of a connection must not reach the next one: half a frame, requests not yet sent, watches. */
  #forgetConnection(): void {
    this.#splitter.reset();
    this.answeredErrno = 0;
    const { packetQueue, watcherManager } = this.#manager;
    const unsent = packetQueue.queue;
    packetQueue.queue = [];
    watcherManager.dataWatchers = {};
    watcherManager.childWatchers = {};
    watcherManager.existenceWatchers = {};
    const lost = new ZooKeeperError("unavailable", "the connection to ZooKeeper was lost");
    for (const { callback } of unsent) callback?.(lost);
  }
}

const knownErrnos: ReadonlySet<number> = new Set(
  Object.values(zookeeper.Exception).filter((value) => typeof value === "number"),
);

function managerOf(client: Client): Manager {
  const manager = (client as unknown as { connectionManager?: Manager }).connectionManager;
  const asKnown =
    manager !== undefined &&
    manager.state === managerStates.disconnected &&
    typeof manager.sessionTimeout === "number" &&
    Array.isArray(manager.packetQueue?.queue) &&
    typeof manager.watcherManager?.dataWatchers === "object" &&
    typeof manager.watcherManager.childWatchers === "object" &&
    typeof manager.watcherManager.existenceWatchers === "object" &&
    manager.connectTimeoutHandler === null &&
    typeof manager.connect === "function" &&
    typeof manager.findNextServer === "function" &&
    typeof manager.onSocketData === "function";
  if (!asKnown) {
    throw new ZooKeeperError(
      "internal-changed",
      "node-zookeeper-client is not as 1.1.3 is: install exactly that version",
    );
  }
  return manager;
}
