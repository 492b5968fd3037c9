import { KafkaConnection, backoffMs, pause, silentLogger, within } from "../connection/index.ts";
import type { Logger } from "../connection/index.ts";
import { KafkaError } from "../errors.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Ownership } from "./ownership.ts";
import { GroupProtocol } from "./protocol.ts";
import type { OffsetToCommit, RefusedOffsets } from "./protocol.ts";
import type { GroupMemberOptions, MemberIdentity, MemberState } from "./options.ts";

const fencedInstance = 82;
const unknownMember = 25;
const illegalGeneration = 22;
/** A refusal that people can mend (an ACL, members of another protocol) is tried again this often. */
const refusedRetryMs = 5_000;
/** Giving up takes a commit and a join: much less than this. */
const withheldMs = 4_000;
const withheldStaggerMs = 300;

/**
 * A static member of a consumer group, for one topic, with incremental rebalancing: partitions that
 * it keeps never stop, and one that moves is given up in order before anybody else has it.
 *
 * One loop joins, takes over what the group says, and waits until there is a reason to join again.
 * Heartbeats run beside it, with a timer and a connection of their own, also while a join waits.
 */
export class GroupMember {
  readonly #options: GroupMemberOptions;
  readonly #connection: KafkaConnection;
  readonly #protocol: GroupProtocol;
  readonly #heartbeat: Heartbeat;
  readonly #ownership: Ownership;
  readonly #logger: Logger;
  readonly #startedAtMs: number;
  readonly #sessionTimeoutMs: number;
  readonly #rebalanceTimeoutMs: number;
  readonly #metadataRefreshMs: number;

  #state: MemberState = "idle";
  #refusal: KafkaError | undefined;
  /** The trouble that was said last, while it lasts. */
  #trouble: string | undefined;
  #memberId = "";
  #partitionCount = 0;
  #rejoinWanted = true;
  #wake: () => void = () => undefined;
  #closing = false;
  #running: Promise<void> | undefined;
  /** From the decision to join until what the answer took away has been given up. */
  #joinUnderWay = false;
  /** From the JoinGroup request until the answer to SyncGroup. */
  #joinInFlight = false;
  #asked = 0;
  #withheldTimer: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: GroupMemberOptions) {
    this.#options = options;
    this.#logger = options.logger ?? options.settings.logger ?? silentLogger;
    this.#connection = new KafkaConnection({ ...options.settings, logger: this.#logger });
    this.#protocol = new GroupProtocol(this.#connection, options);
    this.#startedAtMs = options.startedAtMs ?? Date.now();
    this.#sessionTimeoutMs = options.sessionTimeoutMs ?? 10_000;
    this.#rebalanceTimeoutMs = options.rebalanceTimeoutMs ?? 30_000;
    this.#metadataRefreshMs = options.metadataRefreshMs ?? 30_000;
    this.#ownership = new Ownership(options.handlers, this.#logger);
    this.#heartbeat = new Heartbeat({
      intervalMs: options.heartbeatIntervalMs ?? 500,
      now: options.now ?? (() => performance.now()),
      send: async (identity) => await this.#protocol.heartbeat(identity),
      succeeded: (rebalancing) => this.#heartbeatSucceeded(rebalancing),
      failed: (error, identity) => this.#heartbeatFailed(error, identity),
    });
  }

  get state(): MemberState {
    return this.#state;
  }

  /** Why the state is `refused`. */
  get refusal(): KafkaError | undefined {
    return this.#refusal;
  }

  /** Undefined before the first assignment and after the membership was lost. */
  get identity(): MemberIdentity | undefined {
    return this.#ownership.identity;
  }

  get owned(): ReadonlySet<number> {
    return this.#ownership.owned;
  }

  /** Monotonic time at which the last heartbeat that succeeded was sent; drives self-fencing. */
  get lastHeartbeatAt(): number {
    return this.#heartbeat.lastAt;
  }

  start(): void {
    if (this.#state !== "idle") return;
    this.#setState("joining");
    this.#running = this.#run();
  }

  /**
   * `leave`: everything is given up in order (`revoked`), and the group is told at once. Otherwise
   * the group keeps our partitions for us until the session time-out, for a restart. Ends within
   * about the session time-out, whatever Kafka does.
   */
  close(options: { leave: boolean }): Promise<void> {
    this.#closed ??= this.#close(options.leave);
    return this.#closed;
  }

  /**
   * One attempt, under exactly this identity; possible while a join waits. Resolves with the offsets
   * that the broker refused by themselves: the others are committed. Throws what is about all.
   * `fenced`: the group knows the member or the generation no more. `rebalance-in-progress`
   * (retriable): a round has moved the generation on and we are in it; what is still owned is to be
   * committed under the identity that `generation` tells next. Other retriable errors may be tried
   * again.
   */
  async commit(
    offsets: readonly OffsetToCommit[],
    identity: MemberIdentity,
  ): Promise<RefusedOffsets> {
    if (offsets.length === 0) return new Map();
    try {
      return await this.#protocol.commit(offsets, identity);
    } catch (error) {
      if (!this.#superseded(error, identity)) throw error;
      throw new KafkaError(
        "rebalance-in-progress",
        `group ${this.#options.groupId}: generation ${identity.generation} has just ended; commit under the next one`,
        { kafkaCode: illegalGeneration, cause: error },
      );
    }
  }

  /** The broker refuses a generation because the round that we take part in has made a newer one. */
  #superseded(error: unknown, { memberId, generation }: MemberIdentity): boolean {
    if (!(error instanceof KafkaError) || error.kafkaCode !== illegalGeneration) return false;
    const newest = this.#joinInFlight
      ? Number.POSITIVE_INFINITY
      : (this.#ownership.identity?.generation ?? -1);
    return memberId === this.#memberId && generation < newest;
  }

  async #run(): Promise<void> {
    const stopLooking = this.#lookForPartitions();
    for (let attempt = 0; !this.#closing; ) {
      try {
        await this.#rejoinOnce();
        attempt = 0;
        await this.#reasonToRejoin();
      } catch (error) {
        if (this.#joinFailed(error)) break;
        const retriable =
          error instanceof KafkaError && (error.retriable || error.code === "fenced");
        const waitMs = retriable ? backoffMs(attempt) : refusedRetryMs;
        attempt += 1;
        await this.#sleep(waitMs);
      }
    }
    stopLooking();
    clearTimeout(this.#withheldTimer);
  }

  async #rejoinOnce(): Promise<void> {
    if (this.#state === "stable") this.#setState("rebalancing");
    const { topic, ordinal, replicas, configGeneration } = this.#options;
    this.#partitionCount = (await this.#connection.partitions(topic)).length;
    if (this.#closing) return;
    this.#rejoinWanted = false;
    this.#joinUnderWay = true;
    this.#joinInFlight = true;
    clearTimeout(this.#withheldTimer);
    const sentAt = this.#heartbeat.now();
    try {
      const joined = await this.#protocol.join({
        memberId: this.#memberId,
        sessionTimeoutMs: this.#sessionTimeoutMs,
        rebalanceTimeoutMs: this.#rebalanceTimeoutMs,
        data: {
          ordinal,
          replicas,
          configGeneration,
          startedAtMs: this.#startedAtMs,
          partitionCount: this.#partitionCount,
          asked: this.#asked,
          ...this.#ownership.claim(),
        },
      });
      this.#memberId = joined.identity.memberId;
      this.#partitionCount = joined.partitionCount;
      // The old generation's heartbeats are refused from here on, and the leader may take its time.
      this.#heartbeat.begin(joined.identity, sentAt);
      const syncedAt = this.#heartbeat.now();
      const assigned = await this.#protocol.sync(
        joined,
        this.#rebalanceTimeoutMs + this.#connection.requestTimeoutMs,
      );
      this.#heartbeat.begin(joined.identity, syncedAt);
      this.#refusal = undefined;
      this.#joinInFlight = false;
      const gaveUp = this.#ownership.take(assigned.partitions, joined.identity);
      this.#watchWithheld(assigned.withheld);
      this.#setState("stable");
      if (gaveUp !== undefined) {
        await gaveUp;
        this.#wantRejoin();
      }
    } finally {
      this.#joinInFlight = false;
      this.#joinUnderWay = false;
    }
  }

  /** True when there is nothing more to try. */
  #joinFailed(cause: unknown): boolean {
    if (this.#closing) return true;
    const error =
      cause instanceof KafkaError
        ? cause
        : new KafkaError("group-protocol", `group ${this.#options.groupId}: ${String(cause)}`, {
            cause,
          });
    if (error.kafkaCode === fencedInstance) {
      this.#fenced(error);
      return true;
    }
    if (error.code === "fenced") {
      this.#membershipLost(error);
    } else if (error.code === "rebalance-in-progress" || error.code === "coordinator-unavailable") {
      this.#logger.debug({ error }, "group: joining again");
    } else if (error.code === "topic-not-found" && this.identity === undefined) {
      this.#refusal = error;
      this.#setState("refused");
      this.#say("error", error, "group: the topic is not there, trying again");
    } else if (error.retriable) {
      this.#setState("unreachable");
      this.#say("warn", error, "group: can't join, trying again");
    } else {
      this.#refusal = error;
      this.#setState("refused");
      this.#say("error", error, "group: not taken in, trying again in a while");
    }
    return false;
  }

  #heartbeatSucceeded(rebalancing: boolean): void {
    this.#trouble = undefined;
    if (this.#state === "unreachable" && this.#ownership.identity !== undefined) {
      this.#setState(this.#joinUnderWay ? "rebalancing" : "stable");
    }
    if (rebalancing && !this.#joinUnderWay) this.#wantRejoin();
  }

  /** Loudly when the trouble begins or turns into another one, not at each attempt: an outage may be long. */
  #say(level: "warn" | "error", error: KafkaError, words: string): void {
    const trouble = level === "warn" ? "unreachable" : error.message;
    this.#logger[this.#trouble === trouble ? "debug" : level]({ error }, words);
    this.#trouble = trouble;
  }

  #heartbeatFailed(error: KafkaError, identity: MemberIdentity): void {
    if (this.#closing) return;
    if (error.kafkaCode === fencedInstance) {
      this.#fenced(error);
    } else if (error.code === "fenced") {
      // While a join is under way its answer decides: the generation has just gone up.
      if (this.#joinUnderWay || identity.generation !== this.#ownership.identity?.generation)
        return;
      this.#membershipLost(error);
      this.#wantRejoin();
    } else if (error.code === "unreachable" || error.code === "timeout") {
      this.#setState("unreachable");
      this.#say("warn", error, "group: no heartbeat");
      // What waits at the same broker would wait for the whole rebalance time-out.
      this.#protocol.abandon();
    } else {
      this.#logger.debug({ error }, "group: heartbeat not taken");
    }
  }

  #membershipLost(error: KafkaError): void {
    this.#heartbeat.stop();
    if (error.kafkaCode === unknownMember) this.#memberId = "";
    this.#logger.warn({ error }, "group: the membership was lost, joining anew");
    this.#ownership.lose();
    this.#setState("joining");
  }

  #fenced(error: KafkaError): void {
    const { groupId, instanceId } = this.#options;
    this.#closing = true;
    this.#heartbeat.stop();
    this.#refusal = new KafkaError(
      "fenced",
      `group ${groupId}: a newer process has joined as ${instanceId}; this one stops. Two pods must not share an instance id`,
      { cause: error, kafkaCode: fencedInstance },
    );
    this.#logger.error({ error }, this.#refusal.message);
    this.#ownership.lose();
    this.#setState("refused");
    this.#wake();
  }

  /** Every member looks: one that was started anew does not know that it leads. */
  #lookForPartitions(): () => void {
    const timer = setInterval(() => void this.#lookOnce(), this.#metadataRefreshMs);
    return () => clearInterval(timer);
  }

  async #lookOnce(): Promise<void> {
    try {
      const partitions = await this.#connection.partitions(this.#options.topic);
      if (partitions.length > this.#partitionCount && !this.#joinUnderWay) this.#wantRejoin();
    } catch (error) {
      this.#logger.debug({ error }, "group: metadata not refreshed");
    }
  }

  /**
   * Who must give a partition up does so in a moment and rejoins. If it died just then and was back
   * at once, it knows nothing of it, and nobody else would ask: so all do, one after the other.
   */
  #watchWithheld(withheld: readonly number[]): void {
    if (withheld.length === 0) return;
    this.#withheldTimer = setTimeout(
      () => {
        this.#logger.warn(
          { withheld },
          "group: partitions are not given up, asking for a new round",
        );
        this.#asked += 1;
        this.#wantRejoin();
      },
      withheldMs + this.#options.ordinal * withheldStaggerMs,
    );
  }

  #wantRejoin(): void {
    this.#rejoinWanted = true;
    this.#wake();
  }

  async #reasonToRejoin(): Promise<void> {
    if (this.#rejoinWanted || this.#closing) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  async #sleep(ms: number): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => {
      if (this.#closing) woken.abort();
    };
    await pause(ms, woken.signal);
  }

  async #close(leave: boolean): Promise<void> {
    if (this.#state === "idle") {
      this.#setState("closed");
      return;
    }
    const refused = this.#state === "refused";
    this.#closing = true;
    this.#wake();
    if (leave && !refused) await within(this.#sessionTimeoutMs, this.#leave());
    this.#heartbeat.stop();
    await this.#connection.close();
    await this.#running;
    this.#setState("closed");
  }

  async #leave(): Promise<void> {
    // A join under way would make the generation old that the last commit is made under.
    if (this.#joinUnderWay) await within(this.#sessionTimeoutMs / 2, this.#running);
    await this.#ownership.giveUpAll();
    try {
      await this.#protocol.leave();
    } catch (error) {
      this.#logger.warn(
        { error },
        "group: could not leave; the group gives our partitions on after the session time-out",
      );
    }
  }

  #setState(state: MemberState): void {
    if (this.#state === state) return;
    if (this.#state === "closed") return;
    this.#state = state;
    this.#options.handlers.state?.(state);
  }
}
