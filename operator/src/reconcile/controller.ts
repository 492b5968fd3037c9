import type { KafkaProxy } from "../api/index.ts";
import { ConnectionPool, Observer, type ResourceFacts } from "../facts/index.ts";
import {
  drainQueue,
  isKubeError,
  type KubeClient,
  keyOf,
  type Logger,
  WorkQueue,
} from "../runtime/index.ts";
import { ClusterView } from "./cluster-view.ts";
import { Reconciler, type ReconcilerOptions } from "./reconciler.ts";

/** pino's shape, with a logger of its own for each resource. */
export interface ParentLogger extends Logger {
  child(fields: object): ParentLogger;
}

export type ReconcileResult = "done" | "waiting" | "again" | "failed";

export interface ControllerOptions {
  readonly client: KubeClient;
  /** Default: all namespaces. */
  readonly namespace: string | undefined;
  readonly image: string;
  readonly imagePullPolicy: ReconcilerOptions["imagePullPolicy"];
  readonly logger: ParentLogger;
  /** After each pass over a resource. */
  readonly onReconciled: (result: ReconcileResult, durationMs: number) => void;
  /** Resources worked on at a time. Default 4. */
  readonly workers?: number;
  readonly random?: () => number;
}

const defaultWorkers = 4;
/** What nothing tells of, such as a rollout that stands still, is seen by looking again. */
const lookAgainMs = 60_000;

/** Follows all resources and brings each where it should be, from `run()` until its signal. */
export class Controller {
  readonly #options: ControllerOptions;
  readonly #queue = new WorkQueue();
  readonly #observers = new Map<string, Observer>();
  readonly #closing = new Set<Promise<void>>();
  readonly #pool: ConnectionPool;
  readonly #view: ClusterView;
  #reconciler: Reconciler | undefined;

  constructor(options: ControllerOptions) {
    const { client, namespace, logger } = options;
    this.#options = options;
    this.#pool = new ConnectionPool(logger);
    this.#view = new ClusterView({
      client,
      namespace,
      logger,
      onChange: (key) => this.#queue.add(key),
      onGone: (object) => this.#reconciler?.forget(object),
    });
  }

  get synced(): boolean {
    return this.#view.synced;
  }

  get resources(): number {
    return this.#view.resources.size;
  }

  get queue(): Pick<WorkQueue, "depth" | "working" | "failing"> {
    return this.#queue;
  }

  /** Ends when everything that was begun has ended, after `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, image, imagePullPolicy, workers = defaultWorkers } = this.#options;
    const reconciler = new Reconciler({
      client,
      view: this.#view,
      factsOf: (resource) => this.#factsOf(resource),
      image,
      imagePullPolicy,
      signal,
    });
    this.#reconciler = reconciler;
    const stop = (): void => {
      this.#queue.close();
      void this.#view.close();
    };
    signal.addEventListener("abort", stop);
    try {
      if (!signal.aborted) {
        await this.#view.start();
        await drainQueue(this.#queue, workers, (key) => this.#work(reconciler, key, signal));
      }
    } finally {
      signal.removeEventListener("abort", stop);
      stop();
      for (const key of this.#observers.keys()) this.#forget(key);
      await Promise.all(this.#closing);
      await this.#view.close();
    }
  }

  async #work(reconciler: Reconciler, key: string, signal: AbortSignal): Promise<void> {
    const raw = this.#view.resources.get(key);
    if (raw === undefined || raw.metadata.deletionTimestamp !== undefined) {
      // What it owns goes by itself, by its owner references.
      this.#forget(key);
      this.#queue.forget(key);
      return;
    }
    const logger = this.#options.logger.child({ resource: key });
    const startedAt = performance.now();
    const finish = (result: ReconcileResult): void => {
      this.#options.onReconciled(result, performance.now() - startedAt);
    };
    try {
      const outcome = await reconciler.reconcile(raw, logger);
      // What was in the way, such as somebody else's object, may go without a word to us.
      if (outcome === "again") this.#queue.addFailed(key, lookAgainMs);
      else {
        this.#queue.forget(key);
        this.#queue.addAfter(key, lookAgainMs);
      }
      finish(outcome);
    } catch (error) {
      if (signal.aborted) return;
      // Gone since it was looked up, or written since: the watch tells. Who does not lead is told to end, or leads again.
      const passing = isKubeError(error, "not-found", "conflict", "not-leading");
      const retryInMs = this.#queue.addFailed(key);
      logger[passing ? "debug" : "warn"]({ retryInMs, err: error }, "not reconciled; trying again");
      finish("failed");
    }
  }

  #factsOf(resource: KafkaProxy): ResourceFacts | undefined {
    const key = keyOf(resource);
    const known = this.#observers.get(key);
    if (known?.fits(resource) === true) return known.facts;
    this.#forget(key);
    const { client, logger, random = Math.random } = this.#options;
    const observer = new Observer(resource, {
      client,
      pool: this.#pool,
      pods: (one) => this.#view.podsOf(one),
      onChange: () => this.#queue.add(key),
      logger: logger.child({ resource: key }),
      random,
    });
    this.#observers.set(key, observer);
    return undefined;
  }

  #forget(key: string): void {
    const observer = this.#observers.get(key);
    if (observer === undefined) return;
    this.#observers.delete(key);
    const closing = observer.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}
