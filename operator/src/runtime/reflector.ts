import { backoffMs, pause } from "./backoff.ts";
import type { KubeClient } from "./kube-client.ts";
import { isKubeError, KubeError } from "./kube-error.ts";
import { type KubeObject, pathOf, type ResourceKind } from "./kube-object.ts";
import type { Logger } from "./logger.ts";
import { type Change, ObjectStore } from "./object-store.ts";

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: KubeClient;
  readonly kind: ResourceKind;
  /** Default: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  /** A kind whose CRD may be missing: then there is nothing of it. */
  readonly optional?: boolean;
  /** The kind is there now, and was not before. */
  readonly onAppeared?: () => void;
  /** What of an object is kept: memory is for what is looked at. Default: all but managedFields. */
  readonly keep?: (object: T) => T;
  readonly onChange: (change: Change<T>) => void;
  readonly logger: Logger;
  readonly random?: () => number;
  readonly timing?: Partial<ReflectorTiming>;
}

export interface ReflectorTiming {
  /** Objects a page of the list. Default 500. */
  readonly pageSize: number;
  /** The server ends a watch after this and up to twice as long, as client-go asks it to. Default 300,000. */
  readonly watchMs: number;
  /**
   * A watch that says nothing for so long is renewed: its connection may be dead without a word.
   * Default 90,000: the API server sends a bookmark about every minute.
   */
  readonly silenceMs: number;
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
  /** How often a kind that is not there is looked for. Default 15,000. */
  readonly absentMs: number;
}

export type ReflectorState = "idle" | "syncing" | "synced" | "closed";

const defaultTiming: ReflectorTiming = {
  pageSize: 500,
  watchMs: 300_000,
  silenceMs: 90_000,
  backoff: { firstMs: 250, maxMs: 15_000 },
  absentMs: 15_000,
};
/** A watch that ends sooner than this without a word is a failure: else it would be a busy loop. */
const tooShortMs = 1_000;

interface ListAnswer<T> {
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items: readonly T[];
}

interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: T;
}

/**
 * A copy of all objects of one kind, kept up to date: listed in pages, then watched with bookmarks. A
 * watch that ends goes on where it stopped; only a version that the server has forgotten (410) costs
 * a new list. Nothing ends it but `close()`.
 */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #timing: ReflectorTiming;
  readonly #random: () => number;
  readonly #path: string;
  readonly #store = new ObjectStore<T>();
  readonly #ended = new AbortController();
  readonly #synced = Promise.withResolvers<void>();
  #state: ReflectorState = "idle";
  #present = true;
  /** Where the next watch starts; undefined: only a list will tell. */
  #resourceVersion: string | undefined;
  #failures = 0;
  #running: Promise<void> | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.#random = options.random ?? Math.random;
    this.#path = pathOf(options.kind, options.namespace);
  }

  get state(): ReflectorState {
    return this.#state;
  }

  /** False while the API server does not know the kind. */
  get present(): boolean {
    return this.#present;
  }

  /** Failures since a watch last said something: 0 is well. */
  get failures(): number {
    return this.#failures;
  }

  start(): void {
    if (this.#state !== "idle") return;
    this.#state = "syncing";
    this.#running = this.#run(this.#ended.signal);
  }

  /** Resolves after the first list; at `close()` too. */
  synced(): Promise<void> {
    return this.#synced.promise;
  }

  async close(): Promise<void> {
    this.#state = "closed";
    this.#ended.abort();
    this.#synced.resolve();
    await this.#running;
  }

  get(key: string): T | undefined {
    return this.#store.get(key);
  }

  values(): IterableIterator<T> {
    return this.#store.values();
  }

  get size(): number {
    return this.#store.size;
  }

  /** The answer to a write of ours. */
  offer(object: T): void {
    if (this.#state !== "synced") return;
    const change = this.#store.offer(this.#keep(object));
    if (change !== undefined) this.#options.onChange(change);
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#resourceVersion ??= await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error, signal);
      }
    }
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { kind, logger, optional } = this.#options;
    if (optional === true && isKubeError(error, "not-found")) {
      this.#resourceVersion = undefined;
      this.#present = false;
      this.#failures = 0;
      this.#take([], "0");
      await pause(this.#timing.absentMs, signal);
      return;
    }
    const expired = isKubeError(error, "expired");
    if (expired) this.#resourceVersion = undefined;
    // A silent watch is renewed at once; a server that stays silent is met by the list or watch that follows.
    const attempt = this.#failures;
    this.#failures += 1;
    if (expired && attempt === 0) {
      logger.debug({ kind: kind.kind, err: error }, "watch: too far behind; listing anew");
      return;
    }
    const asked = error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0;
    const waitMs = Math.max(backoffMs(attempt, this.#timing.backoff, this.#random), asked);
    const fields = { kind: kind.kind, attempt, waitMs: Math.round(waitMs), err: error };
    if (attempt === 0) logger.debug(fields, "watch: interrupted");
    else logger.warn(fields, "watch: the API server can't be followed; trying again");
    await pause(waitMs, signal);
  }

  async #list(signal: AbortSignal): Promise<string> {
    try {
      return await this.#listInPages(signal, this.#timing.pageSize);
    } catch (error) {
      // The list took longer than the server keeps a page's version: then all at once.
      if (!isKubeError(error, "expired")) throw error;
      return await this.#listInPages(signal, undefined);
    }
  }

  async #listInPages(signal: AbortSignal, limit: number | undefined): Promise<string> {
    const { client, kind, labelSelector } = this.#options;
    const objects: T[] = [];
    let token: string | undefined;
    for (;;) {
      const answer: ListAnswer<T> = await client.request("GET", this.#path, {
        query: { limit, continue: token, labelSelector },
        signal,
        timeoutMs: 60_000,
      });
      for (const item of answer.items) {
        // Items of a list do not say what they are.
        objects.push(this.#keep({ ...item, apiVersion: kind.apiVersion, kind: kind.kind }));
      }
      const { resourceVersion } = answer.metadata;
      token = answer.metadata.continue;
      if (token !== undefined && token !== "") continue;
      if (resourceVersion === undefined) {
        throw new KubeError("server-error", `GET ${this.#path}: the list has no resourceVersion`);
      }
      const appeared = !this.#present;
      this.#present = true;
      this.#take(objects, resourceVersion);
      if (appeared) this.#options.onAppeared?.();
      return resourceVersion;
    }
  }

  #take(objects: readonly T[], resourceVersion: string): void {
    if (this.#state === "closed") return;
    const changes = this.#store.replace(objects, resourceVersion);
    this.#state = "synced";
    for (const change of changes) this.#options.onChange(change);
    this.#synced.resolve();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, labelSelector } = this.#options;
    const watchMs = this.#timing.watchMs * (1 + this.#random());
    const startedAt = performance.now();
    let events = 0;
    const lines = client.lines(this.#path, {
      query: {
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: this.#resourceVersion,
        timeoutSeconds: Math.ceil(watchMs / 1_000),
        labelSelector,
      },
      signal,
      silenceMs: Math.min(this.#timing.silenceMs, watchMs + tooShortMs),
    });
    try {
      for await (const line of lines) {
        if (signal.aborted) return;
        events += 1;
        this.#observe(JSON.parse(line) as WatchEvent<T>);
        // Not at a list: a watch that is refused after each one would have it listed again and again without a pause.
        this.#failures = 0;
      }
    } catch (error) {
      const silent = isKubeError(error, "timeout") && error.status === undefined;
      if (!silent || performance.now() - startedAt < this.#timing.silenceMs) throw error;
      this.#options.logger.debug(
        { kind: this.#options.kind.kind },
        "watch: nothing was said for long; renewing",
      );
      return;
    }
    if (events === 0 && performance.now() - startedAt < tooShortMs) {
      throw new KubeError("unreachable", `GET ${this.#path}: the watch ended as soon as it began`);
    }
  }

  #observe({ type, object }: WatchEvent<T>): void {
    if (type === "ERROR") {
      const status = Number((object as { code?: unknown }).code ?? 500);
      throw KubeError.fromAnswer(`watch ${this.#path}`, status, JSON.stringify(object));
    }
    this.#resourceVersion = object.metadata.resourceVersion ?? this.#resourceVersion;
    if (type === "BOOKMARK") return;
    const change = this.#store.observe(type === "DELETED" ? "delete" : "put", this.#keep(object));
    if (change !== undefined) this.#options.onChange(change);
  }

  #keep(object: T): T {
    return (this.#options.keep ?? withoutManagedFields)(object);
  }
}

/** Who owns which field is half of an object's size and looked at by nobody here. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  const metadata: Record<string, unknown> = { ...object.metadata };
  delete metadata["managedFields"];
  return { ...object, metadata };
}
