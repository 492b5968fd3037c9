import { deliveryBytes, type Frame, type Offset } from "@kafkaproxy/wire";
import type { WindowRecord } from "../ledger/index.ts";
import { Acks } from "./acks.ts";
import { Alarm } from "./alarm.ts";
import { Answers } from "./answers.ts";
import { Commits } from "./commits.ts";
import { Demand } from "./demand.ts";
import { Intake } from "./intake.ts";
import { Lifecycle } from "./lifecycle.ts";
import { Outbox } from "./outbox.ts";
import type { Partition } from "./partition.ts";
import { Presents } from "./presents.ts";
import { ReadyQueue } from "./ready-queue.ts";
import type { Session } from "./session.ts";
import { Sessions } from "./sessions.ts";
import { statusOf } from "./status.ts";
import { restore } from "./takeovers.ts";
import { TimerWheel } from "./timer-wheel.ts";
import type {
  DeadRecord,
  DispatchCounters,
  DispatchEvents,
  DispatchOptions,
  DispatchPort,
  MetadataLimits,
  PartitionCommit,
  PartitionStatus,
  PartitionWatermark,
  SessionInfo,
  SessionPort,
  SessionStatus,
  SourceRecord,
  Takeover,
  TakeoverReport,
} from "./types.ts";

/**
 * After a takeover without hand-over: how long clients have to present what they hold before anything is delivered.
 * Where none is connected yet, as in a proxy that has just been started, it is the first one that it begins with.
 */
const presentWaitMs = 500;

/**
 * Hands records to sessions and takes their answers: the one door of this room, and the only place where the parts
 * meet. Each call runs to its end, then says what it has to say: frames first, then new deliveries, then events.
 */
export class Dispatch implements DispatchPort {
  readonly counters: DispatchCounters = {
    delivered: 0,
    redelivered: 0,
    acked: 0,
    lateAcks: 0,
    nacked: 0,
    rejected: 0,
    released: 0,
    expired: 0,
    extended: 0,
    stale: 0,
    presented: 0,
    snapshotsIgnored: 0,
    snapshotOverflows: 0,
  };
  readonly #options: DispatchOptions;
  readonly #partitions = new Map<number, Partition>();
  readonly #wheel = new TimerWheel<WindowRecord>();
  readonly #alarms = new TimerWheel<Alarm>();
  readonly #queue = new ReadyQueue();
  readonly #outbox: Outbox;
  readonly #intake: Intake;
  readonly #lifecycle: Lifecycle;
  readonly #acks: Acks;
  readonly #presents: Presents;
  readonly #commits: Commits;
  readonly #answers: Answers;
  readonly #demand: Demand;
  readonly #sessions: Sessions;

  constructor(options: DispatchOptions, events: DispatchEvents) {
    this.#options = options;
    this.#outbox = new Outbox(events);
    this.#intake = new Intake(options.queue, this.#outbox);
    const parts = {
      options,
      counters: this.counters,
      partitions: this.#partitions,
      wheel: this.#wheel,
      alarms: this.#alarms,
      queue: this.#queue,
      outbox: this.#outbox,
      intake: this.#intake,
    };
    const lifecycle = new Lifecycle(parts);
    const acks = new Acks({ ...parts, lifecycle });
    this.#lifecycle = lifecycle;
    this.#acks = acks;
    this.#presents = new Presents({ ...parts, lifecycle, acks });
    this.#commits = new Commits({ ...parts, lifecycle });
    this.#answers = new Answers({ ...parts, lifecycle });
    this.#demand = new Demand({ ...parts, lifecycle });
    this.#sessions = new Sessions({ ...parts, lifecycle, demand: this.#demand });
  }

  // partitions

  assign(now: number, takeover: Takeover): TakeoverReport {
    if (this.#partitions.has(takeover.partition)) {
      throw new RangeError(
        `Partition ${takeover.partition} is assigned already; surrender or lose it first.`,
      );
    }
    const restored = restore(now, takeover, this.#lifecycle, this.#intake.totals);
    const { partition, warning } = restored;
    this.#partitions.set(partition.number, partition);
    this.#intake.share(this.#partitions);
    if (restored.uncertain) {
      const wait = new Alarm(() => {
        partition.presentWait = undefined;
        this.#queue.opened(partition);
      });
      partition.presentWait = wait;
      if (!this.#sessions.none) this.#alarms.schedule(now, wait, now + presentWaitMs);
    }
    // At once: nothing goes out before it stands.
    partition.dirty = true;
    this.#outbox.commitWanted();
    if (warning !== undefined) this.counters.snapshotsIgnored += 1;
    this.#sessions.announce();
    this.#finish(now);
    const fetchFrom = partition.window.next;
    return warning === undefined ? { fetchFrom } : { fetchFrom, warning };
  }

  admit(now: number, number: number, records: readonly SourceRecord[], nextOffset: Offset): number {
    const partition = this.#partitions.get(number);
    if (partition === undefined) return records.length;
    let taken = 0;
    for (const source of records) {
      if (source.offset >= partition.window.next && !this.#admitOne(now, partition, source)) break;
      taken += 1;
    }
    if (taken === records.length) this.#advance(partition, nextOffset);
    if (taken < records.length || !this.#intake.hasRoom(partition, 0))
      this.#intake.close(partition);
    this.#finish(now);
    return taken;
  }

  nextWanted(number: number): Offset | undefined {
    return this.#partitions.get(number)?.window.nextWanted;
  }

  surrender(now: number, number: number): PartitionCommit {
    const partition = this.#partitions.get(number);
    if (partition === undefined) {
      throw new RangeError(`Partition ${number} is not assigned; there is nothing to surrender.`);
    }
    const commit = this.#commits.takeLast(partition);
    this.#remove(partition);
    this.#finish(now);
    return commit;
  }

  surrenderAnew(commit: PartitionCommit): PartitionCommit {
    return this.#commits.retake(commit);
  }

  lose(now: number, number: number): void {
    const partition = this.#partitions.get(number);
    if (partition === undefined) return;
    this.#remove(partition);
    this.#finish(now);
  }

  expire(now: number, number: number, offset: Offset): number {
    const partition = this.#partitions.get(number);
    if (partition === undefined) return 0;
    const expired = partition.window.missingBelow(offset);
    this.#advance(partition, offset);
    this.#finish(now);
    return expired;
  }

  reset(now: number, number: number, offset: Offset): void {
    const partition = this.#partitions.get(number);
    if (partition === undefined) return;
    partition.window.forEach((record) => {
      this.#lifecycle.vanish(partition, record);
    });
    partition.window.reset(offset);
    this.#commits.abandon(partition);
    partition.committed = Math.min(partition.committed, offset);
    partition.dirty = true;
    this.#intake.freed(partition);
    this.#finish(now);
  }

  takeCommits(now: number, all = false): PartitionCommit[] {
    this.#outbox.commitTaken();
    const commits: PartitionCommit[] = [];
    for (const partition of this.#partitions.values()) {
      if (partition.taken === undefined && (all || partition.dirty)) {
        commits.push(this.#commits.take(partition));
      }
    }
    this.#finish(now);
    return commits;
  }

  commitConfirmed(now: number, commit: PartitionCommit): void {
    this.#commits.confirmed(commit, (partition) => this.#owns(partition));
    this.#finish(now);
  }

  commitFailed(now: number, commit: PartitionCommit, refused: boolean): void {
    this.#commits.failed(now, commit, refused, (partition) => this.#owns(partition));
    this.#finish(now);
  }

  shortenMetadata(refused: readonly PartitionCommit[]): MetadataLimits | undefined {
    return this.#commits.shorten(refused);
  }

  deadLettered(now: number, number: number, offset: Offset): void {
    const partition = this.#partitions.get(number);
    const record = partition?.window.get(offset);
    if (partition === undefined || record?.state !== "dying") return;
    this.#lifecycle.settle(partition, record);
    this.#finish(now);
  }

  isDying({ partition, record: source }: DeadRecord): boolean {
    const record = this.#partitions.get(partition)?.window.get(source.offset);
    return record?.state === "dying" && record.source === source;
  }

  setDelivering(now: number, on: boolean): void {
    this.#demand.delivering = on;
    this.#finish(now);
  }

  setGeneration(now: number, generation: number): void {
    this.#sessions.setGeneration(generation);
    this.#finish(now);
  }

  // sessions

  open(now: number, info: SessionInfo, port: SessionPort): void {
    if (this.#sessions.none) this.#firstClient(now);
    this.#sessions.open(info, port);
    this.#finish(now);
  }

  detach(now: number, sessionId: string, port: SessionPort): void {
    this.#sessions.detach(now, sessionId, port);
    this.#finish(now);
  }

  resume(now: number, sessionId: string, port: SessionPort): boolean {
    const known = this.#sessions.resume(sessionId, port);
    this.#finish(now);
    return known;
  }

  close(now: number, sessionId: string): void {
    this.#sessions.close(now, sessionId);
    this.#finish(now);
  }

  receive(now: number, sessionId: string, frame: Frame): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    this.#route(now, session, frame);
    this.#finish(now);
  }

  writable(now: number, sessionId: string): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    this.#demand.joined(session);
    this.#finish(now);
  }

  // time

  tick(now: number): void {
    this.#wheel.advance(now, (record) => {
      const partition = this.#partitions.get(record.partition);
      if (partition === undefined) return;
      // Who holds it has had nobody to present it to.
      if (isUnclaimed(record) && this.#sessions.none) this.#lifecycle.leaseAnew(now, record);
      else this.#lifecycle.timedOut(now, partition, record);
    });
    this.#alarms.advance(now, (alarm) => alarm.ring(now));
    this.#finish(now);
  }

  nextTickAt(): number | undefined {
    const leases = this.#wheel.nextAt();
    const alarms = this.#alarms.nextAt();
    if (leases === undefined || alarms === undefined) return leases ?? alarms;
    return Math.min(leases, alarms);
  }

  // eyes

  get inFlight(): number {
    return this.#sessions.none ? 0 : this.#lifecycle.inFlight;
  }

  get ready(): number {
    return this.#queue.size;
  }

  get windowBytes(): number {
    return this.#intake.totals.bytes;
  }

  partitions(now: number): PartitionStatus[] {
    const { topic } = this.#options;
    return [...this.#partitions.values()].map((partition) => statusOf(now, topic, partition));
  }

  watermarks(): PartitionWatermark[] {
    return [...this.#partitions.values()].map(({ number, window }) => ({
      partition: number,
      watermark: window.watermark,
    }));
  }

  sessions(_now: number): SessionStatus[] {
    return this.#sessions.status();
  }

  // inside

  /** A partition that comes back is another object. */
  #owns(partition: Partition): boolean {
    return this.#partitions.get(partition.number) === partition;
  }

  /** All that waits for who holds a former owner's records begins with it. */
  #firstClient(now: number): void {
    for (const { presentWait, window } of this.#partitions.values()) {
      if (presentWait !== undefined) {
        this.#alarms.schedule(now, presentWait, now + presentWaitMs);
      }
      window.forEach((record) => {
        if (isUnclaimed(record)) this.#lifecycle.leaseAnew(now, record);
      });
    }
  }

  #finish(now: number): void {
    this.#outbox.flushFrames();
    this.#demand.pump(now);
    this.#outbox.flushEvents();
  }

  #admitOne(now: number, partition: Partition, source: SourceRecord): boolean {
    const bytes = deliveryBytes(source);
    if (!this.#intake.hasRoom(partition, bytes)) return false;
    this.#advance(partition, source.offset);
    const record = partition.window.admit(now, source, bytes);
    if (record === undefined) {
      // Settled by a former owner: it is in its snapshot, or with the client that presented it.
      partition.covered += 1;
      partition.dirty = true;
    } else {
      this.#lifecycle.admitted(partition, record);
    }
    return true;
  }

  #advance(partition: Partition, next: Offset): void {
    const before = partition.window.watermark;
    for (const absent of partition.window.advance(next)) this.#lifecycle.vanish(partition, absent);
    if (partition.window.watermark !== before) partition.dirty = true;
  }

  #remove(partition: Partition): void {
    this.#lifecycle.letGo(partition);
    this.#partitions.delete(partition.number);
    this.#intake.leave(partition, this.#partitions);
    this.#sessions.announce();
  }

  #route(now: number, session: Session, frame: Frame): void {
    switch (frame.type) {
      case "pull":
        this.#demand.pull(now, session, frame);
        break;
      case "ack":
        this.#acks.ack(session, frame);
        break;
      case "nack":
        this.#answers.nack(now, session, frame);
        break;
      case "reject":
        this.#answers.reject(session, frame);
        break;
      case "extend":
        this.#answers.extend(now, session, frame);
        break;
      case "release":
        this.#answers.release(session, frame);
        break;
      case "present":
        this.#presents.present(now, session, frame);
        break;
      case "credit":
        this.#demand.credit(session, frame);
        break;
      default:
        // The listener's business, or a frame that only a proxy sends.
        break;
    }
  }
}

/** Out at a former owner's worker, who has not presented it yet. */
function isUnclaimed({ state, holder }: WindowRecord): boolean {
  return state === "leased" && holder === undefined;
}
