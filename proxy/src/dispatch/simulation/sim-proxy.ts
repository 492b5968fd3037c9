/** One proxy process: the real rooms, and as much of source, dead letters and listener as they need around them. */
import assert from "node:assert/strict";
import type { Frame } from "@kafkaproxy/wire";
import { Fence } from "../../source/index.ts";
import { Dispatch, type PartitionCommit, type SessionPort } from "../index.ts";
import { testOptions } from "../test-harness.ts";
import { at, type Broker, type CommitOutcome } from "./broker.ts";
import type { Clock } from "./clock.ts";

export interface SimOptions {
  readonly commitFailures: number;
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** After it the broker gives a silent proxy's partitions to others. */
export const sessionTimeoutMs = 10_000;
const heartbeatMs = 500;
/** Largest value of a record in the log. */
export const largestBytes = 8_000;
/** What a delivery takes beside its value, and more. */
const overheadBytes = 100;

/** The client's end of a connection. */
export interface Peer {
  received(frame: Frame): void;
  dropped(): void;
}

/** Frames take a few ms each way and stay in order; a dropped connection loses what is under way. */
export class Connection implements SessionPort {
  writable = true;
  open = true;
  sessionId = "";
  readonly #clock: Clock;
  readonly #peer: Peer;
  readonly #proxy: SimProxy;
  readonly #latencyMs: number;

  constructor(clock: Clock, proxy: SimProxy, peer: Peer) {
    this.#clock = clock;
    this.#proxy = proxy;
    this.#peer = peer;
    this.#latencyMs = clock.between(1, 4);
  }

  /** From the proxy to the client. */
  send(frame: Frame): void {
    this.#proxy.sent(frame);
    this.#clock.after(this.#latencyMs, () => {
      if (this.open) this.#peer.received(frame);
    });
  }

  /** From the client to the proxy. */
  tell(frame: Frame): void {
    this.#clock.after(this.#latencyMs, () => this.#proxy.handle(this, frame));
  }

  drop(): void {
    if (!this.open) return;
    this.open = false;
    this.#peer.dropped();
  }
}

export class SimProxy {
  readonly name: string;
  readonly dispatch: Dispatch;
  alive = true;
  /** Frozen: nothing runs, frames wait. */
  frozen = false;
  readonly positions = new Map<number, number>();
  readonly #clock: Clock;
  readonly #broker: Broker;
  readonly #options: SimOptions;
  readonly #observe: (frame: Frame, by: SimProxy) => void;
  readonly #fence: Fence;
  readonly #closed = new Set<number>();
  /** Taken over with an overflow, and not committed since. */
  readonly #overflows = new Set<number>();
  readonly #connections = new Set<Connection>();
  #waiting: (() => void)[] = [];
  #committing = false;
  #arrivesAt = 0;
  #commitSoon = false;
  #sessions = 0;

  constructor(
    name: string,
    clock: Clock,
    broker: Broker,
    options: SimOptions,
    observe: (frame: Frame, by: SimProxy) => void,
  ) {
    this.name = name;
    this.#clock = clock;
    this.#broker = broker;
    this.#options = options;
    this.#observe = observe;
    this.dispatch = new Dispatch(
      {
        ...testOptions,
        queue: { maxMessages: options.maxMessages, maxBytes: options.maxBytes },
        random: clock.random,
      },
      {
        dead: ({ partition, record }) => this.#bury(partition, record.offset),
        commitWanted: () => {
          this.#commitSoon = true;
        },
        intake: (partition, open) => {
          if (open) this.#closed.delete(partition);
          else this.#closed.add(partition);
        },
      },
    );
    this.#fence = new Fence({
      sessionTimeoutMs,
      changed: (reason) => this.dispatch.setDelivering(clock.now, reason === undefined),
    });
    this.#loop(heartbeatMs, () => this.#heartbeat());
    this.#loop(20, () => this.#fetch());
    this.#loop(17, () => {
      this.dispatch.tick(this.#now());
      this.#checkMemory();
    });
    this.#loop(5, () => {
      if (this.#commitSoon) this.commit();
    });
    this.#loop(1_000, () => this.commit());
  }

  /** Runs now, or when the process wakes up. */
  run(task: () => void): void {
    if (!this.alive) return;
    if (this.frozen) this.#waiting.push(task);
    else task();
  }

  connect(
    peer: Peer,
    sessionId: string,
    clientName: string,
  ): { connection: Connection; resumed: boolean } {
    const connection = new Connection(this.#clock, this, peer);
    this.#connections.add(connection);
    connection.sessionId = sessionId;
    let resumed = sessionId !== "" && this.dispatch.resume(this.#now(), sessionId, connection);
    if (!resumed) {
      connection.sessionId = `${clientName}@${this.name}#${(this.#sessions += 1)}`;
      const info = { sessionId: connection.sessionId, clientName, mode: "pull" } as const;
      this.dispatch.open(this.#now(), info, connection);
    }
    return { connection, resumed };
  }

  /** The connection broke; the process notices at once. */
  cut(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    connection.drop();
    this.run(() => this.dispatch.detach(this.#now(), connection.sessionId, connection));
  }

  handle(connection: Connection, frame: Frame): void {
    this.run(() => {
      if (!connection.open) return;
      const { released } = this.dispatch.counters;
      this.dispatch.receive(this.#now(), connection.sessionId, frame);
      if (frame.type !== "release" || this.dispatch.counters.released === released) return;
      for (const { partition, offset } of frame.records) {
        this.#broker.fate(partition, offset).deliveries -= 1;
      }
    });
  }

  sent(frame: Frame): void {
    this.#observe(frame, this);
  }

  assign(partition: number): void {
    // What has been another's meanwhile, and no heartbeat has said so yet: the group does before it gives anything again.
    if (this.positions.has(partition)) this.lose(partition);
    this.#loseWhatIsGone();
    const takeover = this.#broker.takeover(partition);
    // The join was a sign of life.
    this.#fence.heartbeat(this.#now());
    this.#broker.owners[partition] = this.name;
    this.#closed.delete(partition);
    const { fetchFrom } = this.dispatch.assign(this.#now(), takeover);
    this.positions.set(partition, fetchFrom);
    if (takeover.overflow !== undefined) this.#overflows.add(partition);
  }

  /** Gives `partition` up in order; `then` runs when its last commit is through, or has failed. */
  surrender(partition: number, then: (confirmed: boolean) => void): void {
    this.positions.delete(partition);
    this.#handOver(this.dispatch.surrender(this.#now(), partition), then);
  }

  #handOver(commit: PartitionCommit, then: (confirmed: boolean) => void): void {
    if (commit.overflow !== undefined) {
      // What was left to us is overwritten: a commit still in flight must not take this away.
      this.#overflows.delete(commit.partition);
      this.#broker.handovers[commit.partition] = { commit, overflow: commit.overflow };
    }
    this.#send([commit], ([outcome]) => {
      const again = outcome === "too-long" && this.#shorten([commit]);
      if (again) this.#handOver(this.dispatch.surrenderAnew(commit), then);
      else then(outcome === "taken");
    });
  }

  lose(partition: number): void {
    this.positions.delete(partition);
    this.#overflows.delete(partition);
    this.dispatch.lose(this.#now(), partition);
  }

  kill(): void {
    this.alive = false;
    for (const connection of this.#connections) connection.drop();
  }

  thaw(): void {
    this.frozen = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const task of waiting) task();
  }

  /** Every reading of the clock passes the fence, as in the real process. */
  #now(): number {
    this.#fence.observe(this.#clock.now);
    return this.#clock.now;
  }

  /** The answer tells what is no longer ours. */
  #heartbeat(): void {
    const sentAt = this.#now();
    this.#clock.after(this.#clock.between(2, 15), () => {
      this.run(() => {
        this.#loseWhatIsGone();
        this.#fence.heartbeat(sentAt);
      });
    });
  }

  #loseWhatIsGone(): void {
    for (const partition of this.positions.keys()) {
      if (this.#broker.owners[partition] !== this.name) this.lose(partition);
    }
  }

  commit(): void {
    if (this.#committing) return;
    this.#commitSoon = false;
    const commits = this.dispatch.takeCommits(this.#now());
    if (commits.length === 0) return;
    this.#committing = true;
    this.#send(commits, (outcomes) => {
      this.#committing = false;
      const tooLong = commits.filter((_, index) => outcomes[index] === "too-long");
      if (tooLong.length > 0 && this.#shorten(tooLong)) this.#commitSoon = true;
    });
  }

  /** A dead process draws no consequence, a frozen one too late. */
  #shorten(refused: readonly PartitionCommit[]): boolean {
    return this.alive && !this.frozen && this.dispatch.shortenMetadata(refused) !== undefined;
  }

  #send(
    commits: readonly PartitionCommit[],
    then: (outcomes: readonly (CommitOutcome | "lost")[]) => void,
  ): void {
    const clock = this.#clock;
    const lost = clock.chance(this.#options.commitFailures);
    // Commits of one process go over one connection: the broker takes them in order.
    this.#arrivesAt = Math.max(this.#arrivesAt, clock.now + clock.between(2, 15));
    clock.after(this.#arrivesAt - clock.now, () => {
      const outcomes = commits.map((commit) => {
        // Of the commits that fail, half were applied and only the answer was lost.
        if (lost && clock.chance(0.5)) return "lost";
        const outcome = this.#broker.commit(this.name, commit);
        return lost ? "lost" : outcome;
      });
      clock.after(clock.between(2, 15), () => {
        this.run(() => {
          for (const [at, commit] of commits.entries()) {
            if (outcomes[at] === "taken") {
              this.#forgetOverflow(commit);
              this.dispatch.commitConfirmed(this.#now(), commit);
            } else {
              this.dispatch.commitFailed(this.#now(), commit, outcomes[at] === "too-long");
            }
          }
        });
        then(outcomes);
      });
    });
  }

  /** Until a commit of ours stands, a successor needs what we were left. */
  #forgetOverflow({ partition }: PartitionCommit): void {
    if (this.#overflows.delete(partition)) this.#broker.handovers[partition] = undefined;
  }

  #fetch(): void {
    for (const [partition, position] of this.positions) {
      if (this.#closed.has(partition)) continue;
      const log = at(this.#broker.logs, partition);
      const from = log.findIndex(({ offset }) => offset >= position);
      const records = from < 0 ? [] : log.slice(from, from + 25);
      const end = at(this.#broker.ends, partition);
      const next = records.length < 25 ? end : at(records, records.length - 1).offset + 1;
      const taken = this.dispatch.admit(this.#now(), partition, records, next);
      this.positions.set(partition, taken < records.length ? at(records, taken).offset : next);
    }
  }

  /** Invariant 5, as far as it is ours: the limits, and one record. */
  #checkMemory(): void {
    const { maxBytes, maxMessages } = this.#options;
    const held = this.dispatch
      .partitions(this.#now())
      .reduce((sum, { ready, delayed, dying }) => sum + ready + delayed + dying, 0);
    assert.ok(held <= maxMessages + 1, `${held} records in the windows of ${this.name}`);
    const { windowBytes } = this.dispatch;
    const most = maxBytes + largestBytes + overheadBytes;
    assert.ok(windowBytes <= most, `${windowBytes} bytes in the windows of ${this.name}`);
  }

  #bury(partition: number, offset: number): void {
    this.#clock.after(this.#clock.between(5, 60), () => {
      if (!this.alive) return;
      this.#broker.fate(partition, offset).inDeadLetters = true;
      this.run(() => this.dispatch.deadLettered(this.#now(), partition, offset));
    });
  }

  #loop(everyMs: number, task: () => void): void {
    this.#clock.after(everyMs, () => {
      if (!this.alive) return;
      if (!this.frozen) task();
      this.#loop(everyMs, task);
    });
  }
}
