import type { Connection, NodeStat } from "./connection.ts";
import type { Logger } from "./logger.ts";
import { createWithParents } from "./node-operations.ts";
import { ResyncLoop } from "./resync-loop.ts";
import { codeOf } from "./zookeeper-error.ts";

const resyncMs = 30_000;

/** An ephemeral node that is kept there until it is closed: over lost connections, expired sessions, removal by others. */
export interface EphemeralNode {
  /** It is there and ours, as far as we know. While disconnected: as it was. */
  readonly present: boolean;
  /** Calls `listener` whenever `present` changes. Returns what ends that. */
  onChange(listener: (present: boolean) => void): () => void;
  /** Other data from now on: written at once, or on the next connect. */
  update(data: Buffer): void;
  /** Removes it; resolves when it is gone, or when the session is not connected: then it goes on the next connect. */
  close(): Promise<void>;
}

/**
 * Ours over a node of the same path that we find at first, as that is what a process leaves behind that was started again
 * a moment later. But when another session's comes in the place of one that we held, that is another live process
 * of this name: then it is waited out, so that two do not take it from each other for ever.
 */
export class HeldEphemeral implements EphemeralNode {
  readonly #path: string;
  readonly #logger: Logger;
  readonly #loop: ResyncLoop;
  readonly #listeners = new Set<(present: boolean) => void>();
  readonly #released: () => void;
  #data: () => Buffer;
  #written: Buffer | undefined;
  #present = false;
  #heldBy = "";
  #held = false;
  #waitingFor = "";
  #connected = false;
  #closing = false;

  /** `released` is called when it is closed and gone. */
  constructor(path: string, data: (() => Buffer) | Buffer, logger: Logger, released: () => void) {
    this.#path = path;
    this.#data = typeof data === "function" ? data : () => data;
    this.#logger = logger;
    this.#released = released;
    this.#loop = new ResyncLoop(`holding ${path}`, resyncMs, logger, (connection, full) =>
      this.#pass(connection, full),
    );
  }

  get present(): boolean {
    return this.#present;
  }

  onChange(listener: (present: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  update(data: Buffer): void {
    this.#data = () => data;
    void this.#loop.trigger();
  }

  resume(connection: Connection): Promise<void> {
    this.#connected = true;
    return this.#loop.resume(connection);
  }

  suspend(): void {
    this.#connected = false;
    this.#loop.suspend();
  }

  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#connected) await this.#loop.trigger();
  }

  /** The session ended for good: the node with it. */
  stop(): void {
    this.#loop.close();
    this.#setPresent(false);
  }

  readonly #changed = (): void => void this.#loop.trigger();

  async #pass(connection: Connection, full: boolean): Promise<undefined> {
    if (this.#closing) return this.#remove(connection);
    const data = this.#data();
    const stat = await connection.exists(this.#path, this.#changed);
    if (stat === undefined) await createWithParents(connection, this.#path, data, "ephemeral");
    else if (stat.ephemeralOwner === connection.sessionId) {
      // Read before it is written: all who watch it are told of a write, also of the same data.
      const there = full ? (await connection.get(this.#path)).data : this.#written;
      if (there?.equals(data) !== true) await connection.set(this.#path, data);
    } else if (!this.#held || stat.ephemeralOwner === this.#heldBy) {
      this.#logger.info(
        { path: this.#path, owner: stat.ephemeralOwner },
        "taking over the node of an earlier session",
      );
      await connection.replaceByEphemeral(this.#path, data);
    } else return this.#waitFor(stat);
    this.#written = data;
    this.#held = true;
    this.#heldBy = connection.sessionId;
    this.#waitingFor = "";
    this.#setPresent(true);
    return undefined;
  }

  /** The watch on it tells when it goes. */
  #waitFor({ ephemeralOwner }: NodeStat): undefined {
    if (this.#waitingFor !== ephemeralOwner) {
      const fields = { path: this.#path, owner: ephemeralOwner };
      this.#logger.warn(fields, "another live session holds this node; waiting until it goes");
    }
    this.#waitingFor = ephemeralOwner;
    this.#setPresent(false);
  }

  async #remove(connection: Connection): Promise<undefined> {
    const stat = await connection.exists(this.#path);
    if (stat?.ephemeralOwner === connection.sessionId) {
      await connection.remove(this.#path).catch((error: unknown) => {
        if (codeOf(error) !== "no-node") throw error;
      });
    }
    this.stop();
    this.#released();
  }

  #setPresent(present: boolean): void {
    if (this.#present === present) return;
    this.#present = present;
    for (const listener of this.#listeners) {
      try {
        listener(present);
      } catch (error) {
        this.#logger.error({ err: error, path: this.#path }, "a listener of a held node failed");
      }
    }
  }
}
