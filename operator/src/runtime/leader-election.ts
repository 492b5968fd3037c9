import { pause } from "./backoff.ts";
import type { KubeClient } from "./kube-client.ts";
import { isKubeError, KubeError } from "./kube-error.ts";
import { type KubeObject, pathOf } from "./kube-object.ts";
import { held, type LeaseSpec, mayTake, type Observation, observe, released } from "./lease.ts";
import { LeaseTerm } from "./lease-term.ts";
import type { Logger } from "./logger.ts";

export interface LeaderElectionOptions {
  /** For this alone: a renewal must not queue behind other requests. */
  readonly client: KubeClient;
  /** The Lease that is contended for. */
  readonly namespace: string;
  readonly name: string;
  /** Ours alone: a pod's name and something of this process. */
  readonly identity: string;
  /** Others may take a lease that has not changed for so long. Default 15,000. */
  readonly leaseDurationMs?: number;
  /** A leader that could not renew for so long stops. Default 10,000. */
  readonly renewDeadlineMs?: number;
  /** Between two tries. Default 2,000. */
  readonly retryMs?: number;
  readonly logger: Logger;
  readonly random?: () => number;
}

export type ElectionState = "idle" | "contending" | "leading" | "closed";

interface Lease extends KubeObject {
  readonly spec?: LeaseSpec;
}

const leaseKind = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", plural: "leases" };

/**
 * One leader at a time, by a Lease. A leader counts from the *start* of its last renewal that
 * succeeded, by the monotonic clock, and stops after `renewDeadlineMs`; others wait `leaseDurationMs`
 * from when they saw that renewal, which is later. Between the two lies the time that its work has to
 * end. `check()` before every write makes a process that was frozen find out before it does harm; once it
 * has thrown, that time of leading is over.
 */
export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #path: string;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryMs: number;
  #state: ElectionState = "idle";
  #lease: Lease | undefined;
  #observation: Observation | undefined;
  #term: LeaseTerm | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#path = pathOf(leaseKind, options.namespace, options.name);
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryMs = options.retryMs ?? 2_000;
    if (this.#renewDeadlineMs >= this.#leaseDurationMs || this.#retryMs >= this.#renewDeadlineMs) {
      throw new KubeError(
        "bad-access",
        `leader election with lease ${this.#leaseDurationMs}, deadline ${this.#renewDeadlineMs} and retry ${this.#retryMs} ms: each must be longer than the next`,
      );
    }
  }

  get state(): ElectionState {
    return this.#state;
  }

  /** The lease is ours, and nobody can have taken it. */
  get leading(): boolean {
    return this.#term?.held ?? false;
  }

  /** @throws KubeError `not-leading`. */
  check(): void {
    if (this.leading) return;
    throw new KubeError("not-leading", "the lease is not ours any more: nothing is written");
  }

  /**
   * Contends until `signal` aborts, and does `work` whenever it leads. The signal handed to `work`
   * aborts when it must stop; it is contended again only after `work` has ended. A `work` that throws
   * ends it all, with the lease released.
   */
  async run(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { logger, name } = this.#options;
    while (!signal.aborted) {
      this.#state = "contending";
      const takenAt = await this.#acquire(signal);
      if (takenAt === undefined) break;
      const term = new LeaseTerm(takenAt, this.#renewDeadlineMs);
      term.lost.addEventListener("abort", () => {
        logger.error({ lease: name }, `election: ${String(term.lost.reason)}; stopping`);
      });
      this.#term = term;
      this.#state = "leading";
      logger.info({ lease: name }, "election: leading");
      try {
        await this.#lead(term, work, signal);
      } finally {
        if (term.held) await this.#release();
        term.close();
        this.#term = undefined;
        this.#state = "contending";
      }
    }
    this.#state = "closed";
  }

  async #lead(
    term: LeaseTerm,
    work: (signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    // While the work winds down the lease is still renewed, so that it has its time.
    const ended = new AbortController();
    const renewing = this.#renew(term, AbortSignal.any([ended.signal, term.lost]));
    try {
      await work(AbortSignal.any([signal, term.lost]));
    } finally {
      ended.abort();
      await renewing;
    }
  }

  /** When the request that took it was begun; undefined when told to stop. */
  async #acquire(signal: AbortSignal): Promise<number | undefined> {
    while (!signal.aborted) {
      try {
        const takenAt = await this.#tryTake(signal);
        if (takenAt !== undefined) return takenAt;
      } catch (error) {
        if (signal.aborted) return undefined;
        this.#options.logger.warn({ err: error }, "election: the lease can't be had; trying again");
      }
      // Spread, so that those who wait do not all ask at once.
      const random = this.#options.random ?? Math.random;
      await pause(this.#retryMs * (1 + 0.2 * random()), signal);
    }
    return undefined;
  }

  async #renew(term: LeaseTerm, ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      await pause(this.#retryMs, ended);
      if (ended.aborted) return;
      try {
        const renewedAt = await this.#tryTake(ended);
        if (renewedAt === undefined) term.lose("another has the lease");
        else term.renewed(renewedAt);
      } catch (error) {
        if (ended.aborted) return;
        this.#options.logger.warn({ err: error }, "election: the lease is not renewed yet");
      }
    }
  }

  /** One try to have or keep the lease: when it was begun. undefined: another has it. */
  async #tryTake(signal: AbortSignal): Promise<number | undefined> {
    const { identity } = this.#options;
    // A holder's copy is the newest there is; all others must look.
    if (this.#state !== "leading" || this.#lease === undefined) await this.#look(signal);
    const now = performance.now();
    if (this.#observation !== undefined) {
      if (!mayTake(this.#observation, identity, this.#leaseDurationMs, now)) return undefined;
    }
    const spec = held(this.#lease?.spec ?? {}, identity, this.#leaseDurationMs, Date.now());
    try {
      await this.#write(spec, signal);
    } catch (error) {
      if (!isKubeError(error, "conflict", "not-found")) throw error;
      // Somebody was faster, or it was our own write of which we did not see the answer.
      await this.#look(signal);
      // Somebody has deleted it: it is nobody's, and ours when we are the first to make it anew.
      if (this.#lease === undefined) await this.#write(spec, signal);
      else if (this.#lease.spec?.holderIdentity !== identity) return undefined;
      else throw error;
    }
    return now;
  }

  async #look(signal?: AbortSignal): Promise<void> {
    try {
      this.#lease = await this.#options.client.request<Lease>("GET", this.#path, {
        signal,
        timeoutMs: this.#requestMs,
      });
    } catch (error) {
      if (!isKubeError(error, "not-found")) throw error;
      this.#lease = undefined;
      this.#observation = undefined;
      return;
    }
    const { holderIdentity: holder = "" } = this.#lease.spec ?? {};
    const { identity, name, logger } = this.#options;
    if (holder !== (this.#observation?.spec.holderIdentity ?? "") && holder !== identity) {
      if (holder !== "") logger.info({ lease: name, holder }, "election: another has the lease");
    }
    this.#observation = observe(this.#observation, this.#lease.spec ?? {}, performance.now());
  }

  async #write(spec: LeaseSpec, signal?: AbortSignal): Promise<void> {
    const { client, namespace, name } = this.#options;
    const options = { signal, timeoutMs: this.#requestMs };
    const metadata = this.#lease?.metadata ?? { namespace, name };
    const body = { apiVersion: leaseKind.apiVersion, kind: leaseKind.kind, metadata, spec };
    this.#lease =
      this.#lease === undefined
        ? await client.request<Lease>("POST", pathOf(leaseKind, namespace), { ...options, body })
        : await client.request<Lease>("PUT", this.#path, { ...options, body });
    this.#observation = observe(this.#observation, this.#lease.spec ?? {}, performance.now());
  }

  async #release(): Promise<void> {
    const { logger, name, identity } = this.#options;
    try {
      const over = (): Promise<void> => this.#write(released(this.#lease?.spec ?? {}, Date.now()));
      try {
        await over();
      } catch (error) {
        if (!isKubeError(error, "conflict", "not-found")) throw error;
        // A renewal of ours that we did not wait for was carried out, or somebody has deleted it.
        await this.#look();
        if (this.#lease === undefined) return;
        if (this.#lease.spec?.holderIdentity !== identity) throw error;
        await over();
      }
      logger.info({ lease: name }, "election: lease given back");
    } catch (error) {
      logger.warn(
        { lease: name, err: error },
        "election: the lease is not given back; it will run out",
      );
    }
  }

  /** Several tries must fit before the deadline. */
  get #requestMs(): number {
    return Math.min(5_000, this.#renewDeadlineMs / 2);
  }
}
