import { type KubeObject, keyOf } from "./kube-object.ts";

/** What changed about one object: `undefined` is "not there". */
export interface Change<T> {
  readonly key: string;
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/**
 * The objects of one kind as the API server last said, in order of resourceVersion: what is older
 * than what is known changes nothing.
 */
export class ObjectStore<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  /** Everything up to here has been seen: an absent object that is not newer is gone, not unknown. */
  #seen = 0;

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  get size(): number {
    return this.#objects.size;
  }

  /** A whole list, as it was at `resourceVersion`. Yields what it changed. */
  replace(objects: readonly T[], resourceVersion: string): Change<T>[] {
    const changes: Change<T>[] = [];
    const listed = new Set<string>();
    // A server restored from a backup starts counting again at an earlier version.
    this.#seen = versionOf(resourceVersion);
    for (const object of objects) {
      const key = keyOf(object);
      listed.add(key);
      const before = this.#objects.get(key);
      if (before?.metadata.resourceVersion === object.metadata.resourceVersion) continue;
      this.#objects.set(key, object);
      changes.push({ key, before, after: object });
    }
    for (const [key, before] of this.#objects) {
      if (listed.has(key)) continue;
      this.#objects.delete(key);
      changes.push({ key, before, after: undefined });
    }
    return changes;
  }

  /** One event of a watch. */
  observe(type: "put" | "delete", object: T): Change<T> | undefined {
    const key = keyOf(object);
    const version = versionOf(object.metadata.resourceVersion);
    const before = this.#objects.get(key);
    this.#seen = Math.max(this.#seen, version);
    if (before !== undefined && versionOf(before.metadata.resourceVersion) >= version) {
      // Our own write was offered before the watch told of it; a delete is never older than its object.
      if (type === "put") return undefined;
    }
    if (type === "put") {
      this.#objects.set(key, object);
      return { key, before, after: object };
    }
    this.#objects.delete(key);
    return before === undefined ? undefined : { key, before, after: undefined };
  }

  /**
   * The answer to a write of ours, so that the next look at the store does not find the state before
   * it. Without effect when the watch is further already.
   */
  offer(object: T): Change<T> | undefined {
    const key = keyOf(object);
    const version = versionOf(object.metadata.resourceVersion);
    const before = this.#objects.get(key);
    const known = before === undefined ? this.#seen : versionOf(before.metadata.resourceVersion);
    if (version <= known) return undefined;
    this.#objects.set(key, object);
    return { key, before, after: object };
  }
}

/** Versions of one API server are numbers that grow. */
function versionOf(resourceVersion: string | undefined): number {
  return Number(resourceVersion ?? 0);
}
