import {
  KafkaError,
  type Logger,
  type MemberIdentity,
  type RefusedOffsets,
} from "@kafkaproxy/kafka";
import type { DispatchPort, PartitionCommit } from "../dispatch/index.ts";

export interface CommitterOptions {
  readonly dispatch: Pick<
    DispatchPort,
    "takeCommits" | "surrenderAnew" | "commitConfirmed" | "commitFailed" | "shortenMetadata"
  >;
  /** One OffsetCommit; resolves with what was refused by itself, throws KafkaError when it is about all. */
  readonly send: (
    commits: readonly PartitionCommit[],
    identity: MemberIdentity,
  ) => Promise<RefusedOffsets>;
  /** Leaves what a last commit has no room for to the next owner; never rejects. */
  readonly leave: (commit: PartitionCommit) => Promise<void>;
  /** Longest time that something settled waits for its commit. */
  readonly intervalMs: number;
  /** The broker refused our member or generation, and no newer one was known: somebody else may own our partitions. */
  readonly fenced: () => void;
  /** A commit has ended, after this long; not `ok` when any of it was refused. */
  readonly committed?: (durationMs: number, ok: boolean) => void;
  readonly now: () => number;
  readonly logger: Logger;
}

/** First and longest pause after a commit that failed. */
const retryMs = { first: 100, longest: 2_000 };

/** Why partitions are not committed. */
type Refusals = ReadonlyMap<number, unknown>;

/**
 * The commit loop: one OffsetCommit in flight, all partitions in it, at every interval or as soon as dispatch
 * wants it. A commit carries the identity that was current when its content was taken, and is never sent
 * again under another: what failed is taken anew. A partition that the broker refuses by itself holds up no other.
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
  /** Commits in a row of which something was refused. */
  #failures = 0;
  /** The last one failed as a whole: the next one waits, whoever asks. */
  #holding = false;

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
    if (this.#inFlight === undefined && !this.#holding) this.#schedule(0);
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
    const { dispatch, leave, now } = this.#options;
    await Promise.all(commits.map(leave));
    // An older commit that arrives after this one would move the offsets back.
    await this.quiet();
    let left = commits;
    let handedOver = true;
    for (let attempt = 1; left.length > 0; attempt += 1) {
      const refusals = await this.#send(left, identity);
      const refused = left.filter(({ partition }) => refusals.has(partition));
      if (this.#shorten(refused, refusals)) {
        left = refused.map((commit) => dispatch.surrenderAnew(commit));
        await Promise.all(left.map(leave));
        continue;
      }
      const pauseMs = pauseAfter(attempt);
      const inTime = now() + pauseMs < deadline;
      left = refused.filter(({ partition }) => inTime && isRetriable(refusals.get(partition)));
      const failed = refused.filter((commit) => !left.includes(commit));
      if (failed.length > 0) {
        handedOver = false;
        this.#giveUp(failed, refusals);
      }
      if (left.length > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    return handedOver;
  }

  #giveUp(commits: readonly PartitionCommit[], refusals: Refusals): void {
    const { dispatch, logger, now } = this.#options;
    const partitions = commits.map(({ partition }) => partition);
    for (const commit of commits) {
      dispatch.commitFailed(now(), commit, isRefusal(refusals.get(commit.partition)));
    }
    logger.error(
      { err: refusals.get(partitions[0] ?? -1), partitions },
      "the last commit of partitions given up failed: their next owner delivers again what was settled since the commit before",
    );
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
        this.#schedule(this.#pauseMs);
      });
    }, delayMs);
  }

  /** Until the next commit, after one. */
  get #pauseMs(): number {
    if (this.#wanted && !this.#holding) return 0;
    return this.#failures > 0 ? pauseAfter(this.#failures) : this.#options.intervalMs;
  }

  async #commit(): Promise<void> {
    const { dispatch, logger, now } = this.#options;
    const identity = this.identity;
    if (identity === undefined) return;
    this.#wanted = false;
    const commits = dispatch.takeCommits(now());
    const refusals = commits.length > 0 ? await this.#send(commits, identity) : new Map();
    const failed = commits.filter(({ partition }) => refusals.has(partition));
    for (const commit of failed) {
      dispatch.commitFailed(now(), commit, isRefusal(refusals.get(commit.partition)));
    }
    if (this.#shorten(failed, refusals)) this.#wanted = true;
    else if (failed.length > 0) this.#failed(refusals, commits.length, identity);
    else if (this.#failures > 0) {
      if (commits.length > 0) logger.info({ failures: this.#failures }, "commits succeed again");
      this.#failures = 0;
    }
  }

  /** One OffsetCommit. What the broker took counts at once; what it did not is returned. */
  async #send(commits: readonly PartitionCommit[], identity: MemberIdentity): Promise<Refusals> {
    const { committed, dispatch, now, send } = this.#options;
    const startedAt = now();
    let refusals: Refusals;
    try {
      refusals = await send(commits, identity);
      this.#holding = false;
    } catch (error) {
      this.#holding = true;
      refusals = new Map(commits.map(({ partition }) => [partition, error]));
    }
    for (const commit of commits) {
      if (!refusals.has(commit.partition)) dispatch.commitConfirmed(now(), commit);
    }
    committed?.(now() - startedAt, refusals.size === 0);
    return refusals;
  }

  /** True when what the broker refuses as too long is shorter the next time, which may be at once. */
  #shorten(refused: readonly PartitionCommit[], refusals: Refusals): boolean {
    const tooLong = refused.filter(({ partition }) => isTooLong(refusals.get(partition)));
    const [first] = tooLong;
    if (first === undefined) return false;
    const { dispatch, logger } = this.#options;
    const limits = dispatch.shortenMetadata(tooLong);
    if (limits === undefined) return false;
    if (limits.after < limits.before) {
      logger.warn(
        { err: refusals.get(first.partition), ...limits },
        "the broker refuses commit metadata as long as ours (offset.metadata.max.bytes): from now on commits say less, and a crash repeats what they leave out",
      );
    }
    return true;
  }

  #failed(refusals: Refusals, partitions: number, identity: MemberIdentity): void {
    const [error] = refusals.values();
    const code = error instanceof KafkaError ? error.code : undefined;
    // Said once: an outage of a minute is one line, not one a second.
    if (this.#failures++ === 0) {
      this.#options.logger.warn(
        { err: error, code, partitions, refused: refusals.size },
        "commit failed, trying on",
      );
    }
    // A generation that ended while the commit was on its way says nothing about the next one.
    if (code === "fenced" && this.identity === identity) this.#options.fenced();
  }
}

function pauseAfter(failures: number): number {
  return Math.min(retryMs.first * 2 ** (failures - 1), retryMs.longest);
}

function isTooLong(error: unknown): boolean {
  return error instanceof KafkaError && error.code === "metadata-too-large";
}

/** Tried again it fails again, for whoever is the owner. */
function isRefusal(error: unknown): boolean {
  return error instanceof KafkaError && !error.retriable && error.code !== "fenced";
}

function isRetriable(error: unknown): boolean {
  return error instanceof KafkaError && error.retriable;
}
