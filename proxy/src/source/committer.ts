import { KafkaError, type Logger, type MemberIdentity } from "@kafkaproxy/kafka";
import type { DispatchPort, PartitionCommit } from "../dispatch/index.ts";

export interface CommitterOptions {
  readonly dispatch: Pick<DispatchPort, "takeCommits" | "commitConfirmed" | "commitFailed">;
  /** One OffsetCommit; throws KafkaError. */
  readonly send: (commits: readonly PartitionCommit[], identity: MemberIdentity) => Promise<void>;
  /** Longest time that something settled waits for its commit. */
  readonly intervalMs: number;
  /** The broker refused our member or generation, and no newer one was known: somebody else may own our partitions. */
  readonly fenced: () => void;
  /** A commit has ended, after this long. */
  readonly committed?: (durationMs: number, ok: boolean) => void;
  readonly now: () => number;
  readonly logger: Logger;
}

/** First and longest pause after a commit that failed. */
const retryMs = { first: 100, longest: 2_000 };

/**
 * The commit loop: one OffsetCommit in flight, all partitions in it, at every interval or as soon as dispatch
 * wants it. A commit carries the identity that was current when its content was taken, and is never sent
 * again under another: what failed is taken anew.
 */
export class Committer {
  readonly #options: CommitterOptions;
  /** To commit under; undefined while we are no member. */
  identity: MemberIdentity | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = 0;
  #running = false;
  #inFlight: Promise<void> | undefined;
  /** Dispatch has asked; kept while a commit is in flight. */
  #wanted = false;
  #failures = 0;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#schedule(this.#options.intervalMs);
  }

  /** Ends the loop; resolves when nothing is in flight. */
  async stop(): Promise<void> {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#inFlight;
  }

  /** Commit at once, or right after the one in flight. May be called from inside dispatch. */
  soon(): void {
    this.#wanted = true;
    if (this.#inFlight === undefined && this.#failures === 0) this.#schedule(0);
  }

  /** Resolves when the commit that is in flight now, if any, has ended. */
  async quiet(): Promise<void> {
    await this.#inFlight;
  }

  /**
   * The last commit of partitions that are given up. Retries what can be retried until `deadline`; dispatch is
   * told how it ended. Never throws: a partition that could not be committed is replayed by its next owner.
   */
  async handOver(
    commits: readonly PartitionCommit[],
    identity: MemberIdentity,
    deadline: number,
  ): Promise<boolean> {
    const { dispatch, logger, now } = this.#options;
    // An older commit that arrives after this one would move the offsets back.
    await this.quiet();
    for (let attempt = 0; ; attempt++) {
      const startedAt = now();
      try {
        await this.#options.send(commits, identity);
        this.#options.committed?.(now() - startedAt, true);
        for (const commit of commits) dispatch.commitConfirmed(now(), commit);
        return true;
      } catch (error) {
        this.#options.committed?.(now() - startedAt, false);
        const pauseMs = Math.min(retryMs.first * 2 ** attempt, retryMs.longest);
        const retriable = error instanceof KafkaError && error.retriable;
        if (!retriable || now() + pauseMs >= deadline) {
          for (const commit of commits) dispatch.commitFailed(now(), commit);
          logger.error(
            { err: error, partitions: commits.map((commit) => commit.partition) },
            "the last commit of partitions given up failed: their next owner delivers again what was settled since the commit before",
          );
          return false;
        }
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }

  #schedule(delayMs: number): void {
    if (!this.#running) return;
    const at = this.#options.now() + delayMs;
    if (this.#timer !== undefined) {
      if (this.#timerAt <= at) return;
      clearTimeout(this.#timer);
    }
    this.#timerAt = at;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#inFlight = this.#commit().finally(() => {
        this.#inFlight = undefined;
        const delayMs =
          this.#failures > 0
            ? Math.min(retryMs.first * 2 ** (this.#failures - 1), retryMs.longest)
            : this.#wanted
              ? 0
              : this.#options.intervalMs;
        this.#schedule(delayMs);
      });
    }, delayMs);
  }

  async #commit(): Promise<void> {
    const { dispatch, logger, now } = this.#options;
    const identity = this.identity;
    if (identity === undefined) return;
    this.#wanted = false;
    const startedAt = now();
    const commits = dispatch.takeCommits(startedAt);
    if (commits.length === 0) {
      this.#failures = 0;
      return;
    }
    try {
      await this.#options.send(commits, identity);
      for (const commit of commits) dispatch.commitConfirmed(now(), commit);
      if (this.#failures > 0) logger.info({ failures: this.#failures }, "commits succeed again");
      this.#failures = 0;
      this.#options.committed?.(now() - startedAt, true);
    } catch (error) {
      for (const commit of commits) dispatch.commitFailed(now(), commit);
      this.#options.committed?.(now() - startedAt, false);
      this.#wanted = true;
      const code = error instanceof KafkaError ? error.code : undefined;
      // Said once: an outage of a minute is one line, not one a second.
      if (this.#failures++ === 0) {
        logger.warn({ err: error, code, partitions: commits.length }, "commit failed, trying on");
      }
      // A generation that ended while the commit was on its way says nothing about the next one.
      if (code === "fenced" && this.identity === identity) this.#options.fenced();
    }
  }
}
