import { pause } from "./backoff.ts";
import type { KubeClient } from "./kube-client.ts";
import { isKubeError, KubeError } from "./kube-error.ts";
import { type KubeObject, pathOf } from "./kube-object.ts";
import { held, type LeaseSpec, mayTake, type Observation, observe, released } from "./lease.ts";
import type { Logger } from "./logger.ts";

export interface LeaderElectionOptions {
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
 * end. `check()` before every write makes a process that was frozen find out before it does harm.
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
  /** When the last renewal that succeeded was begun. */
  #renewedAt = -Infinity;

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
    return this.#state === "leading" && performance.now() - this.#renewedAt < this.#renewDeadlineMs;
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
    while (!signal.aborted) {
      this.#state = "contending";
      await this.#acquire(signal);
      if (signal.aborted) break;
      this.#state = "leading";
      this.#options.logger.info({ lease: this.#options.name }, "election: leading");
      try {
        await this.#lead(work, signal);
      } finally {
        if (this.leading) await this.#release();
        this.#state = "contending";
      }
    }
    this.#state = "closed";
  }

  async #lead(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const stop = (): void => over.abort();
    signal.addEventListener("abort", stop);
    try {
      // While the work winds down the lease is still renewed, so that it has its time.
      const ended = new AbortController();
      const renewing = this.#renew(over, ended.signal);
      try {
        await work(over.signal);
      } finally {
        ended.abort();
        await renewing;
      }
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async #acquire(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (await this.#tryTake(signal)) return;
      } catch (error) {
        if (signal.aborted) return;
        this.#options.logger.warn({ err: error }, "election: the lease can't be had; trying again");
      }
      // Spread, so that those who wait do not all ask at once.
      const random = this.#options.random ?? Math.random;
      await pause(this.#retryMs * (1 + 0.2 * random()), signal);
    }
  }

  async #renew(over: AbortController, ended: AbortSignal): Promise<void> {
    const { logger } = this.#options;
    while (!ended.aborted) {
      const leftMs = this.#renewedAt + this.#renewDeadlineMs - performance.now();
      if (leftMs <= 0) {
        logger.error({ lease: this.#options.name }, "election: not renewed in time; stopping");
        over.abort();
        return;
      }
      await pause(Math.min(this.#retryMs, leftMs), ended);
      if (ended.aborted || !this.leading) continue;
      try {
        if (await this.#tryTake(ended)) continue;
        logger.error({ lease: this.#options.name }, "election: another has the lease; stopping");
        this.#renewedAt = -Infinity;
        over.abort();
        return;
      } catch (error) {
        if (!ended.aborted) logger.warn({ err: error }, "election: the lease is not renewed yet");
      }
    }
  }

  /** One try to have or keep the lease. False: another has it. */
  async #tryTake(signal: AbortSignal): Promise<boolean> {
    const { identity } = this.#options;
    // A holder's copy is the newest there is; all others must look.
    if (this.#state !== "leading" || this.#lease === undefined) await this.#look(signal);
    const now = performance.now();
    if (this.#observation !== undefined) {
      if (!mayTake(this.#observation, identity, this.#leaseDurationMs, now)) return false;
    }
    const spec = held(this.#lease?.spec ?? {}, identity, this.#leaseDurationMs, Date.now());
    try {
      await this.#write(spec, signal);
    } catch (error) {
      if (!isKubeError(error, "conflict", "not-found")) throw error;
      // Somebody was faster, or it was our own write of which we did not see the answer.
      await this.#look(signal);
      if (this.#lease?.spec?.holderIdentity !== identity) return false;
      throw error;
    }
    this.#renewedAt = now;
    return true;
  }

  async #look(signal: AbortSignal): Promise<void> {
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
    const { logger, name } = this.#options;
    this.#renewedAt = -Infinity;
    try {
      await this.#write(released(this.#lease?.spec ?? {}, Date.now()));
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
