import {
  Fetcher,
  GroupMember,
  logOffsets,
  type FetchedBatch,
  type KafkaConnection,
  type KafkaSettings,
  type Logger,
  type MemberIdentity,
  type MemberState,
  type OffsetToCommit,
} from "@kafkaproxy/kafka";
import type { DispatchPort, PartitionCommit, Takeover } from "../dispatch/index.ts";
import type { BirthStore } from "./birth-store.ts";
import { Committer } from "./committer.ts";
import type { Fence } from "./fence.ts";
import { publishFetched } from "./fetched-channel.ts";
import type { CommittedPosition, HandoverStore } from "./handover.ts";
import { Intake, type IntakePorts } from "./intake.ts";
import { memberStates } from "./member-states.ts";
import { OwnBytes } from "./own-bytes.ts";
import type {
  RecordSource,
  SourceEvents,
  SourcePartitionStatus,
  SourceState,
} from "./record-source.ts";
import type { OffsetReset } from "./start-position.ts";
import { SourceFailure, TakeoverReader } from "./takeover-reader.ts";

export interface KafkaSourceOptions {
  readonly connection: KafkaConnection;
  readonly settings: KafkaSettings;
  readonly topic: string;
  readonly consumerGroup: string;
  readonly instance: string;
  readonly ordinal: number;
  readonly replicas: number;
  readonly configGeneration: number;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly metadataRefreshMs: number;
  readonly fetch: { readonly maxWaitMs: number; readonly maxBytes: number };
  /** The lease of a delivery. */
  readonly ackTimeoutMs: number;
  readonly offsetReset: OffsetReset;
  readonly commitIntervalMs: number;
  readonly dispatch: DispatchPort;
  readonly handover: HandoverStore;
  readonly births: BirthStore;
  /** Monotonic ms; every reading of it passes the fence. */
  readonly now: () => number;
  readonly fence: Fence;
  readonly events: SourceEvents;
  readonly logger: Logger;
}

/** One partition's part of a fetch: a window that closes discards no more than this. */
const partitionFetchBytes = 1024 * 1024;
/** How often the member is asked for its last heartbeat that succeeded. */
const heartbeatLookMs = 100;
/** How often the log's end is asked for: a partition that is not fetched has its lag grow all the same. */
const endsIntervalMs = 5_000;

/** `RecordSource` on a Kafka topic: group membership, fetching, commits and hand-over for one proxy. */
export class KafkaSource implements RecordSource {
  readonly #options: KafkaSourceOptions;
  readonly #logger: Logger;
  readonly #member: GroupMember;
  readonly #fetcher: Fetcher;
  readonly #takeovers: TakeoverReader;
  readonly #committer: Committer;
  readonly #intake: Intake;
  readonly #ownBytes: OwnBytes;
  /** Partitions that the group gave us; those that are taken over are in `#intake` too. With the call that gained each: what an earlier one read is out of date. */
  readonly #owned = new Map<number, object>();
  /** Partitions that were taken over with an overflow, and not committed since. */
  readonly #overflows = new Map<number, CommittedPosition>();
  readonly #ends = new Map<number, number>();
  #heartbeats: NodeJS.Timeout | undefined;
  #endsTimer: NodeJS.Timeout | undefined;
  #memberState: MemberState = "idle";
  #joined = false;
  #failed = false;
  #closed: Promise<void> | undefined;
  #reachable: { readonly ok: boolean; readonly since: number };

  constructor(options: KafkaSourceOptions) {
    this.#options = options;
    this.#logger = options.logger;
    this.#ownBytes = new OwnBytes(options.ackTimeoutMs);
    this.#reachable = { ok: false, since: options.now() };
    this.#takeovers = new TakeoverReader({
      ...options,
      commit: async (positions, identity) => await this.#member.commit(positions, identity),
    });
    this.#fetcher = new Fetcher({
      settings: options.settings,
      topic: options.topic,
      maxWaitMs: options.fetch.maxWaitMs,
      maxBytes: options.fetch.maxBytes,
      maxBytesPerPartition: Math.min(options.fetch.maxBytes, partitionFetchBytes),
      reusesMemory: true,
      handlers: {
        batch: (batch) => {
          this.#batch(batch);
        },
        outOfRange: (partition, offset, range) => {
          this.#outOfRange(partition, offset, range);
        },
        error: (error) => {
          this.#logger.debug({ err: error }, "fetch failed, trying on");
        },
      },
      logger: options.logger,
    });
    this.#member = new GroupMember({
      settings: options.settings,
      groupId: options.consumerGroup,
      topic: options.topic,
      instanceId: options.instance,
      ordinal: options.ordinal,
      replicas: options.replicas,
      configGeneration: options.configGeneration,
      sessionTimeoutMs: options.sessionTimeoutMs,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs,
      heartbeatIntervalMs: options.heartbeatIntervalMs,
      metadataRefreshMs: options.metadataRefreshMs,
      handlers: {
        assigned: async (gained, identity) => {
          await this.#assigned(gained, identity);
        },
        revoked: async (lost, identity) => {
          await this.#revoked(lost, identity);
        },
        lost: (lost) => {
          this.#lost(lost);
        },
        generation: (identity) => {
          this.#committer.identity = identity;
          // Before partitions that come with it are assigned.
          options.dispatch.setGeneration(options.now(), identity.generation);
          options.events.rebalanced?.();
        },
        state: (state) => {
          this.#memberChanged(state);
        },
      },
      logger: options.logger,
      now: options.now,
    });
    this.#committer = new Committer({
      dispatch: options.dispatch,
      send: async (commits, identity) => {
        const refused = await this.#member.commit(commits.map(offsetAndMetadata), identity);
        this.#forgetOverflows(commits.filter(({ partition }) => !refused.has(partition)));
        return refused;
      },
      leave: async (commit) => {
        await this.#leaveOverflow(commit);
      },
      intervalMs: options.commitIntervalMs,
      fenced: () => {
        options.fence.refused(options.now());
      },
      committed: (durationMs, ok) => {
        options.events.committed?.(durationMs, ok);
      },
      now: options.now,
      logger: options.logger,
    });
    const ports: IntakePorts = {
      pause: (partition) => {
        this.#fetcher.pause(partition);
      },
      resume: (partition) => {
        this.#fetcher.resume(partition);
      },
      rewind: (partition, offset) => {
        this.#fetcher.add(partition, offset);
        this.#fetcher.pause(partition);
      },
      admit: (partition, records, nextOffset) =>
        options.dispatch.admit(options.now(), partition, records, nextOffset),
      defer: queueMicrotask,
    };
    this.#intake = new Intake(ports, options.fetch.maxBytes);
  }

  get state(): SourceState {
    if (this.#failed) return "failed";
    if (this.#closed !== undefined) return "closed";
    return memberStates[this.#memberState](this.#joined);
  }

  get joined(): boolean {
    return this.#joined;
  }

  get reachable(): { readonly ok: boolean; readonly since: number } {
    return this.#reachable;
  }

  get refusal(): Error | undefined {
    return this.#memberState === "refused" ? this.#member.refusal : undefined;
  }

  start(): void {
    this.#fetcher.start();
    this.#member.start();
    this.#committer.start();
    // Reading the clock passes the fence; the member says when its last heartbeat that succeeded was sent.
    this.#heartbeats = setInterval(
      () => {
        this.#options.now();
        if (this.#joined) this.#trust();
      },
      Math.min(heartbeatLookMs, this.#options.heartbeatIntervalMs),
    );
    this.#endsTimer = setInterval(() => {
      void this.#refreshEnds();
    }, endsIntervalMs);
  }

  intake(partition: number, open: boolean): void {
    this.#intake.open(partition, open);
  }

  commitSoon(): void {
    this.#committer.soon();
  }

  partitions(): SourcePartitionStatus[] {
    return [...this.#owned.keys()].map((partition) => ({
      partition,
      end: this.#ends.get(partition),
    }));
  }

  close(options: { readonly leave: boolean }): Promise<void> {
    this.#closed ??= this.#close(options.leave);
    return this.#closed;
  }

  async #close(leave: boolean): Promise<void> {
    await this.#member.close({ leave });
    clearInterval(this.#heartbeats);
    clearInterval(this.#endsTimer);
    await this.#committer.stop();
    await this.#fetcher.close();
  }

  #trust(): void {
    const sentAt = this.#member.lastHeartbeatAt;
    if (sentAt > 0) this.#options.fence.heartbeat(sentAt);
  }

  #memberChanged(state: MemberState): void {
    this.#memberState = state;
    if (state === "stable" && !this.#joined) {
      this.#joined = true;
      this.#logger.info({ group: this.#options.consumerGroup }, "joined the group");
    }
    const ok = state === "stable" || state === "rebalancing";
    if (ok !== this.#reachable.ok) this.#reachable = { ok, since: this.#options.now() };
  }

  #batch(batch: FetchedBatch): void {
    publishFetched(batch);
    this.#ends.set(batch.partition, batch.lastStableOffset);
    const records = this.#ownBytes.copy(batch.partition, batch.records);
    this.#intake.batch(batch.partition, records, batch.nextOffset);
  }

  async #refreshEnds(): Promise<void> {
    const { connection, topic } = this.#options;
    try {
      const ranges = await logOffsets(connection, topic, [...this.#owned.keys()]);
      for (const [partition, { latest }] of ranges) this.#ends.set(partition, latest);
    } catch (error) {
      // An old end is what the status shows while Kafka is away; that it is away is said elsewhere.
      this.#logger.debug({ err: error }, "the log's ends can't be read");
    }
  }

  #outOfRange(
    partition: number,
    offset: number,
    range: { earliest: number; latest: number },
  ): void {
    if (!this.#intake.has(partition)) return;
    const { dispatch, events, now, topic } = this.#options;
    const fields = { topic, partition, position: offset, ...range };
    const { earliest, latest } = range;
    if (offset < earliest) {
      const expired = dispatch.expire(now(), partition, earliest);
      events.expired?.(expired);
      this.#logger.warn(
        { ...fields, expired },
        "records have expired before they were read: going on at the log's start",
      );
      this.#fetcher.add(partition, earliest);
      if (this.#intake.isPaused(partition)) this.#fetcher.pause(partition);
      return;
    }
    this.#logger.error(
      fields,
      "the log ends before our position (topic made anew, or data lost by the cluster): what was known about it is dropped, going on at the log's end",
    );
    dispatch.reset(now(), partition, latest);
    this.#intake.clear(partition);
    this.#fetcher.add(partition, latest);
  }

  /** Throws what made it fail; the member asks again while the partitions are still ours. */
  async #assigned(gained: readonly number[], identity: MemberIdentity): Promise<void> {
    this.#committer.identity = identity;
    // The join was a sign of life: a freeze right after it is seen too.
    this.#trust();
    const wanted = gained.filter((partition) => !this.#intake.has(partition));
    const mark = {};
    for (const partition of wanted) this.#owned.set(partition, mark);
    try {
      const { takeovers, refusal } = await this.#takeovers.read(wanted, identity);
      for (const takeover of takeovers) {
        if (this.#owned.get(takeover.partition) === mark) this.#takeOver(takeover);
      }
      if (refusal !== undefined) throw refusal;
    } catch (error) {
      if (!(error instanceof SourceFailure)) throw error;
      this.#failed = true;
      this.#options.events.failed(error);
    }
  }

  #takeOver(takeover: Takeover): void {
    const { dispatch, events, now } = this.#options;
    const { partition, watermark } = takeover;
    const { fetchFrom, warning } = dispatch.assign(now(), takeover);
    if (warning !== undefined) this.#logger.warn({ partition, watermark }, warning);
    this.#intake.add(partition);
    this.#fetcher.add(partition, fetchFrom);
    events.gained(partition);
    this.#logger.info({ partition, watermark, fetchFrom }, "partition taken over");
    if (takeover.overflow !== undefined) {
      this.#overflows.set(partition, { offset: watermark, metadata: takeover.metadata });
    }
  }

  /** Until a commit of ours stands, a successor needs what we were left. */
  #forgetOverflows(commits: readonly PartitionCommit[]): void {
    for (const { partition } of commits) {
      const left = this.#overflows.get(partition);
      if (left === undefined) continue;
      this.#overflows.delete(partition);
      void this.#options.handover.remove(partition, left);
    }
  }

  async #leaveOverflow(commit: PartitionCommit): Promise<void> {
    const { partition, overflow } = commit;
    if (overflow === undefined) return;
    // It overwrites what was left to us; a commit still in flight must not take it away.
    this.#overflows.delete(partition);
    await this.#options.handover.leave(partition, commit, overflow);
  }

  async #revoked(lost: readonly number[], identity: MemberIdentity): Promise<void> {
    const { dispatch, events, now } = this.#options;
    this.#committer.identity = identity;
    const deadline = now() + this.#options.rebalanceTimeoutMs / 2;
    for (const partition of lost) this.#fetcher.remove(partition);
    await events.leaving(lost);
    const commits: PartitionCommit[] = [];
    for (const partition of lost) {
      this.#owned.delete(partition);
      if (!this.#intake.has(partition)) continue;
      // A takeover that ended while we waited has added it again.
      this.#fetcher.remove(partition);
      this.#intake.remove(partition);
      commits.push(dispatch.surrender(now(), partition));
      events.gone(partition);
    }
    if (commits.length === 0) return;
    await this.#committer.handOver(commits, identity, deadline);
    this.#logger.info({ partitions: lost }, "partitions handed over");
  }

  #lost(lost: readonly number[]): void {
    for (const partition of lost) {
      this.#owned.delete(partition);
      this.#overflows.delete(partition);
      this.#fetcher.remove(partition);
      if (!this.#intake.has(partition)) continue;
      this.#intake.remove(partition);
      this.#options.dispatch.lose(this.#options.now(), partition);
      this.#options.events.gone(partition);
    }
    this.#logger.warn({ partitions: lost }, "partitions lost without a hand-over");
  }
}

function offsetAndMetadata({ partition, offset, metadata }: PartitionCommit): OffsetToCommit {
  return { partition, offset, metadata };
}
