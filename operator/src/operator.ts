import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { Admin, Metrics } from "./admin/index.ts";
import { Controller, type ParentLogger } from "./reconcile/index.ts";
import {
  type ClusterAccess,
  guarded,
  HttpKubeClient,
  type KubeClient,
  LeaderElection,
} from "./runtime/index.ts";

export interface OperatorOptions {
  readonly access: ClusterAccess;
  /** The proxies' image. */
  readonly image: string;
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never" | undefined;
  /** The namespace that is watched. Default: all. */
  readonly namespace?: string | undefined;
  /** What the API server's audit log calls this process, behind `kafka-proxy-operator/`. Default: its host's name. */
  readonly podName?: string | undefined;
  /** Where several operators choose a leader; undefined: this is the only one. */
  readonly election?: ElectionSettings | undefined;
  readonly admin: { readonly host: string; readonly port: number };
  readonly logger: ParentLogger;
}

export interface ElectionSettings {
  readonly namespace: string;
  /** Of the Lease. */
  readonly lease: string;
  /** Ours alone. Default: made up anew. */
  readonly identity?: string | undefined;
}

export const operatorStates = ["idle", "standing-by", "leading", "stopped", "failed"] as const;
export type OperatorState = (typeof operatorStates)[number];

/** One operator process: a controller while it leads, probes and metrics always. */
export class Operator {
  readonly #options: OperatorOptions;
  readonly #client: HttpKubeClient;
  /** With connections of its own: a renewal waits behind no other request. */
  readonly #electionClient: HttpKubeClient | undefined;
  readonly #election: LeaderElection | undefined;
  readonly #metrics: Metrics;
  readonly #admin: Admin;
  readonly #ended = new AbortController();
  #controller: Controller | undefined;
  #running: Promise<void> | undefined;
  #state: OperatorState = "idle";

  constructor(options: OperatorOptions) {
    const { access, admin, election, logger, podName = hostname() } = options;
    this.#options = options;
    const userAgent = `kafka-proxy-operator/${podName}`;
    this.#client = new HttpKubeClient(access, { userAgent });
    if (election !== undefined) {
      this.#electionClient = new HttpKubeClient(access, { userAgent });
      this.#election = new LeaderElection({
        client: this.#electionClient,
        namespace: election.namespace,
        name: election.lease,
        identity: election.identity ?? randomUUID(),
        logger,
      });
    }
    this.#metrics = new Metrics({
      leading: () => this.#leading,
      resources: () => this.#controller?.resources ?? 0,
      queue: () => this.#controller?.queue ?? { depth: 0, failing: 0 },
    });
    this.#admin = new Admin({
      ...admin,
      logger,
      notReady: () => this.#notReady(),
      metrics: () => this.#metrics.text(),
    });
  }

  get state(): OperatorState {
    return this.#state;
  }

  /** Resolves with where probes are answered; work begins in the background. */
  async start(): Promise<{ readonly host: string; readonly port: number }> {
    const address = await this.#admin.start();
    this.#state = "standing-by";
    this.#running = this.#run(this.#ended.signal);
    return address;
  }

  /** Resolves when it has ended, by `close()` or by a failure. */
  async ended(): Promise<void> {
    await this.#running;
  }

  /** Ends the work, gives the lease back, then ends the rest. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#running;
    await this.#admin.close();
    this.#client.close();
    this.#electionClient?.close();
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      if (this.#election === undefined) await this.#lead(signal);
      else await this.#election.run((leading) => this.#lead(leading), signal);
      this.#state = "stopped";
    } catch (error) {
      this.#state = "failed";
      this.#options.logger.error({ err: error }, "the operator failed");
    }
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { namespace, image, imagePullPolicy, logger } = this.#options;
    this.#state = "leading";
    this.#controller = new Controller({
      client: this.#writer(),
      namespace,
      image,
      imagePullPolicy,
      logger,
      onReconciled: (result, durationMs) => this.#metrics.reconciled(result, durationMs),
    });
    try {
      await this.#controller.run(signal);
    } finally {
      this.#controller = undefined;
      this.#state = "standing-by";
    }
  }

  /** Every write is counted, and none is made by who does not lead. */
  #writer(): KubeClient {
    const checked = guarded(this.#client, () => this.#election?.check());
    return {
      request: async (verb, path, request) => {
        if (verb !== "GET") this.#metrics.wrote(verb);
        return await checked.request(verb, path, request);
      },
      lines: (path, request) => checked.lines(path, request),
    };
  }

  get #leading(): boolean {
    return this.#controller !== undefined && (this.#election?.leading ?? true);
  }

  #notReady(): string | undefined {
    if (this.#state === "idle" || this.#state === "stopped" || this.#state === "failed") {
      return `the operator is ${this.#state}`;
    }
    if (this.#controller?.synced === false) return "the first lists are not there yet";
    return undefined;
  }
}
