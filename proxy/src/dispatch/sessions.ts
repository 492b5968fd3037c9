import type { Owned } from "@kafkaproxy/wire";
import { Alarm } from "./alarm.ts";
import type { Demand } from "./demand.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Outbox } from "./outbox.ts";
import type { Partition } from "./partition.ts";
import { Session } from "./session.ts";
import type { TimerWheel } from "./timer-wheel.ts";
import type {
  DispatchCounters,
  DispatchOptions,
  SessionInfo,
  SessionPort,
  SessionStatus,
} from "./types.ts";

export interface SessionsParts {
  readonly options: DispatchOptions;
  readonly partitions: ReadonlyMap<number, Partition>;
  readonly alarms: TimerWheel<Alarm>;
  readonly lifecycle: Lifecycle;
  readonly outbox: Outbox;
  readonly counters: DispatchCounters;
  readonly demand: Demand;
}

/** Sessions come, lose their connection, come back, and end. */
export class Sessions {
  readonly #parts: SessionsParts;
  readonly #sessions = new Map<string, Session>();
  #generation = 0;

  constructor(parts: SessionsParts) {
    this.#parts = parts;
  }

  get none(): boolean {
    return this.#sessions.size === 0;
  }

  get(sessionId: string): Session | undefined {
    return this.#sessions.get(sessionId);
  }

  open(info: SessionInfo, port: SessionPort): void {
    if (this.#sessions.has(info.sessionId)) {
      throw new RangeError("A session of this id is open already; resume it.");
    }
    this.#sessions.set(info.sessionId, new Session(info, port));
    port.send(this.#owned());
  }

  /** A session without a connection lives as long as it holds anything, and one ackTimeout more at most. */
  detach(now: number, sessionId: string, port: SessionPort): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined || session.port !== port) return;
    this.#unplug(session);
    const { alarms, options } = this.#parts;
    const forget = new Alarm((at) => {
      if (session.held.size === 0) this.#sessions.delete(sessionId);
      else alarms.schedule(at, forget, at + options.ackTimeoutMs);
    });
    session.forget = forget;
    alarms.schedule(now, forget, now + options.ackTimeoutMs);
  }

  resume(sessionId: string, port: SessionPort): boolean {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return false;
    this.#unplug(session);
    session.port = port;
    port.send(this.#owned());
    const { missed } = session;
    session.missed = [];
    for (const { reason, record } of missed) this.#parts.outbox.cancel(session, reason, record);
    return true;
  }

  /** Its client released what it had not started: what it holds was being worked on, and nobody will answer. */
  close(now: number, sessionId: string): void {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return;
    const { counters, lifecycle } = this.#parts;
    for (const record of session.held) {
      const partition = this.#parts.partitions.get(record.partition);
      if (partition === undefined) continue;
      counters.expired += 1;
      lifecycle.failed(now, partition, record, -1, "Its worker ended without an answer.");
    }
    this.#unplug(session);
    this.#sessions.delete(sessionId);
  }

  /** Tells every session which partitions are ours. */
  announce(): void {
    const owned = this.#owned();
    for (const { port } of this.#sessions.values()) port?.send(owned);
  }

  /** Clients go by it when another proxy names a partition of ours too. */
  setGeneration(generation: number): void {
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.announce();
  }

  status(): SessionStatus[] {
    return [...this.#sessions.values()].map((session) => ({
      clientName: session.clientName,
      mode: session.mode,
      connected: session.port !== undefined,
      inFlight: session.held.size,
      credit: session.credit,
    }));
  }

  #owned(): Owned {
    const partitions = [...this.#parts.partitions.keys()].sort((a, b) => a - b);
    return { type: "owned", partitions, generation: this.#generation };
  }

  #unplug(session: Session): void {
    this.#parts.demand.left(session);
    session.forget?.disarm();
    session.forget = undefined;
    session.port = undefined;
  }
}
