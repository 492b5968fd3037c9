import {
  type Credit,
  type Delivery,
  offerTimeoutMs,
  PreparedDelivery,
  type Pull,
} from "@kafkaproxy/wire";
import { LinkedList, type WindowRecord } from "../ledger/index.ts";
import { Alarm } from "./alarm.ts";
import { frameOverheadBytes, type Lifecycle } from "./lifecycle.ts";
import type { Partition } from "./partition.ts";
import type { ReadyQueue } from "./ready-queue.ts";
import type { Claim, Session } from "./session.ts";
import type { TimerWheel } from "./timer-wheel.ts";
import type { DispatchCounters, DispatchOptions } from "./types.ts";

/** One frame of pushed records holds at most this, so that a slow connection says so early. */
const pushFrameMessages = 64;
const pushFrameBytes = 256 * 1024;

/** Pulls of one session that may wait at once; one more is answered empty. */
const maxClaims = 1_000;

export interface DemandParts {
  readonly options: DispatchOptions;
  readonly queue: ReadyQueue;
  readonly lifecycle: Lifecycle;
  readonly alarms: TimerWheel<Alarm>;
  readonly counters: DispatchCounters;
}

/**
 * Who gets the next ready record. Sessions that ask for records, or to be told of some, stand in one ring; each is
 * served once and goes to the end, so that a greedy one waits for the others.
 */
export class Demand {
  readonly #parts: DemandParts;
  readonly #ring = new LinkedList<Session>();
  #lastOfferId = 0;
  /** Ready records promised by open offers. */
  #reserved = 0;
  delivering = true;

  constructor(parts: DemandParts) {
    this.#parts = parts;
  }

  pull(now: number, session: Session, pull: Pull): void {
    const { options } = this.#parts;
    const offered = pull.offerId === 0 ? 0 : this.#endOffered(session, pull.offerId);
    if (pull.maxMessages === 0) {
      if (pull.offerId === 0) answerEmpty(session, pull.requestId);
      return;
    }
    const claim: Claim = {
      requestId: pull.requestId,
      maxMessages: Math.min(pull.maxMessages, options.pull.maxMessages),
      maxBytes: Math.min(pull.maxBytes, options.pull.maxBytes),
      alarm: undefined,
    };
    if (offered > 0 && this.#usable > 0 && this.delivering && session.port?.writable === true) {
      this.#deliver(now, session, claim.requestId, claim.maxMessages, claim.maxBytes);
      return;
    }
    session.claims.add(claim);
    this.joined(session);
    this.pump(now);
    if (session.claims.has(claim)) this.#wait(now, session, claim, pull);
  }

  /** Nothing was ready for `claim`. */
  #wait(now: number, session: Session, claim: Claim, pull: Pull): void {
    const { alarms, options } = this.#parts;
    const endsAt = now + Math.min(pull.waitMs, options.pull.maxWaitMs);
    if (pull.wait === "claim" && endsAt > now && session.claims.size <= maxClaims) {
      claim.alarm = new Alarm(() => {
        session.claims.delete(claim);
        answerEmpty(session, claim.requestId);
      });
      alarms.schedule(now, claim.alarm, endsAt);
      return;
    }
    session.claims.delete(claim);
    answerEmpty(session, claim.requestId);
    if (pull.wait !== "offer" || endsAt <= now) return;
    const maxMessages = Math.max(claim.maxMessages, session.watch?.maxMessages ?? 0);
    const until = Math.max(endsAt, session.watch?.alarm.dueAt ?? 0);
    this.#unwatch(session);
    const alarm = new Alarm(() => this.#unwatch(session));
    session.watch = { maxMessages, alarm };
    alarms.schedule(now, alarm, until);
    this.joined(session);
  }

  /** A positive delta grants, a negative one revokes; what is taken back, or above the limit, is said. */
  credit(session: Session, { requestId, delta }: Credit): void {
    const before = session.credit;
    const wanted = before + delta;
    session.credit = Math.min(Math.max(0, wanted), this.#parts.options.push.maxCredit);
    const refused = delta < 0 ? session.credit - before : session.credit - wanted;
    if (delta < 0 || refused < 0) session.port?.send({ type: "credit", requestId, delta: refused });
    this.joined(session);
  }

  /** The session may want something now. */
  joined(session: Session): void {
    if (session.list === undefined && session.wants) this.#ring.append(session);
  }

  /** What it asked for is gone with its connection. */
  left(session: Session): void {
    this.#ring.remove(session);
    for (const claim of session.claims) claim.alarm?.disarm();
    session.claims.clear();
    session.credit = 0;
    this.#unwatch(session);
    if (session.offer !== undefined) this.#answerOffer(session, session.offer.offerId);
  }

  /** Gives what is ready to who wants it, until one of the two is used up. */
  pump(now: number): void {
    while (this.delivering && this.#usable > 0) {
      const session = this.#ring.shift();
      if (session === undefined) return;
      if (!session.wants) continue;
      this.#serve(now, session);
      this.joined(session);
    }
  }

  get #usable(): number {
    return this.#parts.queue.size - this.#reserved;
  }

  #serve(now: number, session: Session): void {
    const [claim] = session.claims;
    if (claim !== undefined) {
      session.claims.delete(claim);
      claim.alarm?.disarm();
      this.#deliver(now, session, claim.requestId, claim.maxMessages, claim.maxBytes);
    } else if (session.credit > 0) {
      const most = Math.min(session.credit, pushFrameMessages);
      session.credit -= this.#deliver(now, session, 0, most, pushFrameBytes);
    } else if (session.watch !== undefined) {
      this.#offer(now, session, Math.min(session.watch.maxMessages, this.#usable));
    }
  }

  #deliver(
    now: number,
    session: Session,
    requestId: number,
    maxMessages: number,
    maxBytes: number,
  ): number {
    const { counters, lifecycle, options, queue } = this.#parts;
    const most = Math.min(maxMessages, this.#usable);
    const room = Math.min(maxBytes, options.maxFrameBytes - frameOverheadBytes);
    const records: Delivery[] = [];
    let bytes = 0;
    let served: Partition | undefined;
    while (records.length < most) {
      const { partition, first: record } = queue;
      if (partition === undefined || record === undefined) break;
      bytes += record.bytes;
      if (bytes > room && records.length > 0) break;
      lifecycle.lease(now, partition, record, session, record.deliveries + 1);
      if (record.deliveries > 1) counters.redelivered += 1;
      const delivery = deliveryOf(record, options.ackTimeoutMs);
      if (delivery !== undefined) records.push(delivery);
      queue.countTurn(partition);
      served = partition;
    }
    if (served !== undefined) queue.endTurn(served);
    counters.delivered += records.length;
    session.port?.send({ type: "deliver", requestId, records });
    return records.length;
  }

  #offer(now: number, session: Session, count: number): void {
    this.#lastOfferId = (this.#lastOfferId % 0xffff_ffff) + 1;
    const offerId = this.#lastOfferId;
    const alarm = new Alarm(() => {
      this.#answerOffer(session, offerId);
      this.joined(session);
    });
    session.offer = { offerId, count, alarm, watch: session.watch };
    this.#reserved += count;
    this.#parts.alarms.schedule(now, alarm, now + offerTimeoutMs);
    session.port?.send({ type: "available", offerId, count });
  }

  /**
   * An answer takes the session off the list of those to be told; not when another pull has put it there again since
   * the offer: that pull came back empty, and its sender waits to be told.
   */
  #endOffered(session: Session, offerId: number): number {
    const offered = session.offer?.offerId === offerId ? session.offer.watch : undefined;
    if (offered !== undefined && session.watch === offered) this.#unwatch(session);
    const count = this.#answerOffer(session, offerId);
    this.joined(session);
    return count;
  }

  /** Returns how many records were kept for the offer; 0 when it has lapsed. */
  #answerOffer(session: Session, offerId: number): number {
    const { offer } = session;
    if (offer?.offerId !== offerId) return 0;
    offer.alarm.disarm();
    session.offer = undefined;
    this.#reserved -= offer.count;
    return offer.count;
  }

  #unwatch(session: Session): void {
    session.watch?.alarm.disarm();
    session.watch = undefined;
  }
}

function answerEmpty(session: Session, requestId: number): void {
  session.port?.send({ type: "deliver", requestId, records: [] });
}

function deliveryOf(record: WindowRecord, leaseMs: number): Delivery | undefined {
  const { source } = record;
  if (source === undefined) return undefined;
  const asPrepared =
    source instanceof PreparedDelivery &&
    source.attempt === record.deliveries &&
    source.leaseMs === leaseMs;
  if (asPrepared) return source;
  return {
    partition: record.partition,
    offset: record.offset,
    attempt: record.deliveries,
    leaseMs,
    timestamp: source.timestamp,
    key: source.key,
    value: source.value,
    headers: source.headers,
  };
}
