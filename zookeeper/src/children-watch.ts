import type { Connection } from "./connection.ts";
import type { Logger } from "./logger.ts";
import { unless } from "./node-operations.ts";
import { childOf } from "./paths.ts";
import { ResyncLoop } from "./resync-loop.ts";
import { codeOf } from "./zookeeper-error.ts";

export type ChildrenListener = (children: ReadonlyMap<string, Buffer>) => void;

export interface ChildrenWatch {
  /** As last seen; undefined before that. */
  readonly children: ReadonlyMap<string, Buffer> | undefined;
  close(): void;
}

export interface ChildrenWatchOptions {
  /** Everything is read again this often, should a change have been missed. Default 30,000 ms. */
  readonly resyncMs?: number;
  /**
   * For so long after a lost connection, children that are missing are still shown: an outage that ended our session
   * ended others' too, and their ephemeral nodes come back only as they reconnect. Default 5,000 ms.
   */
  readonly settleMs?: number;
}

/** Follows the children of one node and their data. */
export class FollowedChildren implements ChildrenWatch {
  readonly #path: string;
  readonly #listener: ChildrenListener;
  readonly #logger: Logger;
  readonly #loop: ResyncLoop;
  readonly #released: () => void;
  readonly #settleMs: number;
  /** Names whose data may have changed since they were read. */
  readonly #changedNames = new Set<string>();
  #children: ReadonlyMap<string, Buffer> | undefined;
  #removalsCountFrom = 0;

  constructor(
    path: string,
    listener: ChildrenListener,
    options: ChildrenWatchOptions,
    logger: Logger,
    released: () => void,
  ) {
    this.#path = path;
    this.#listener = listener;
    this.#logger = logger;
    this.#released = released;
    this.#settleMs = options.settleMs ?? 5_000;
    const resyncMs = options.resyncMs ?? 30_000;
    this.#loop = new ResyncLoop(`watching ${path}`, resyncMs, logger, (connection, full) =>
      this.#pass(connection, full),
    );
  }

  get children(): ReadonlyMap<string, Buffer> | undefined {
    return this.#children;
  }

  resume(connection: Connection): Promise<void> {
    if (this.#children !== undefined) this.#removalsCountFrom = performance.now() + this.#settleMs;
    return this.#loop.resume(connection);
  }

  suspend(): void {
    this.#loop.suspend();
  }

  stop(): void {
    this.#loop.close();
  }

  close(): void {
    this.stop();
    this.#released();
  }

  // One function each for the life of this object: the library calls the same one only once for one change.
  readonly #namesChanged = (): void => void this.#loop.trigger();
  readonly #dataChanged = (event: { readonly path: string }): void => {
    this.#changedNames.add(event.path.slice(event.path.lastIndexOf("/") + 1));
    void this.#loop.trigger();
  };

  async #pass(connection: Connection, full: boolean): Promise<number | undefined> {
    const names = await this.#names(connection);
    if (names === undefined) return 0;
    const known = this.#children ?? new Map<string, Buffer>();
    const found = new Map<string, Buffer>();
    const changed = new Set(this.#changedNames);
    this.#changedNames.clear();
    try {
      await Promise.all(
        names.map(async (name) => {
          const before = known.get(name);
          if (before !== undefined && !full && !changed.has(name)) return found.set(name, before);
          const node = await connection
            .get(childOf(this.#path, name), this.#dataChanged)
            .catch(unless("no-node"));
          return node === undefined ? found : found.set(name, node.data);
        }),
      );
    } catch (error) {
      for (const name of changed) this.#changedNames.add(name);
      throw error;
    }
    const heldBackMs = this.#removalsCountFrom - performance.now();
    let heldBack = false;
    if (heldBackMs > 0) {
      for (const [name, data] of known) {
        if (found.has(name)) continue;
        found.set(name, data);
        heldBack = true;
      }
    }
    this.#show(found);
    return heldBack ? heldBackMs + 1 : undefined;
  }

  /** undefined: it came into being between two looks, look again. A node that is not there has no children. */
  async #names(connection: Connection): Promise<string[] | undefined> {
    try {
      return await connection.children(this.#path, this.#namesChanged);
    } catch (error) {
      if (codeOf(error) !== "no-node") throw error;
      const stat = await connection.exists(this.#path, this.#namesChanged);
      return stat === undefined ? [] : undefined;
    }
  }

  #show(found: Map<string, Buffer>): void {
    if (this.#children !== undefined && same(this.#children, found)) return;
    this.#children = found;
    try {
      this.#listener(found);
    } catch (error) {
      this.#logger.error({ err: error, path: this.#path }, "a listener of children failed");
    }
  }
}

function same(a: ReadonlyMap<string, Buffer>, b: ReadonlyMap<string, Buffer>): boolean {
  if (a.size !== b.size) return false;
  for (const [name, data] of a) if (b.get(name)?.equals(data) !== true) return false;
  return true;
}
