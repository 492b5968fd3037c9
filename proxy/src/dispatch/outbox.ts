import type { CancelReason, ErrorCode, OffsetRange, RecordRef } from "@kafkaproxy/wire";
import type { Session } from "./session.ts";
import type { DeadRecord, DispatchEvents } from "./types.ts";

const words = {
  stale: "This is not the record's current delivery: its lease ended, or it was given back.",
  moved: "Another proxy has this partition now: present the record to the one that announces it.",
  "not-held": "This session never held these records.",
} as const satisfies Partial<Record<ErrorCode, string>>;

/** Records or ranges in one frame: well below any frame limit. */
const maxPerFrame = 1_000;

type RecordError = keyof typeof words;

/**
 * What one call has to say to sessions and to the owner, said at its end: many cancels to one session are one frame,
 * and an event finds dispatch at rest, so that its handler may call back.
 */
export class Outbox {
  readonly #events: DispatchEvents;
  #cancels = new Map<Session, Map<CancelReason, RecordRef[]>>();
  #errors = new Map<Session, Map<RecordError, RecordRef[]>>();
  #settled = new Map<Session, OffsetRange[]>();
  #calls: ((events: DispatchEvents) => void)[] = [];
  #commitWanted = false;

  constructor(events: DispatchEvents) {
    this.#events = events;
  }

  cancel(session: Session, reason: CancelReason, record: RecordRef): void {
    if (session.port === undefined) session.missed.push({ reason, record });
    else append(this.#cancels, session, reason, record);
  }

  error(session: Session, code: RecordError, record: RecordRef): void {
    append(this.#errors, session, code, record);
  }

  settled(session: Session, range: OffsetRange): void {
    const ranges = this.#settled.get(session);
    if (ranges === undefined) this.#settled.set(session, [range]);
    else ranges.push(range);
  }

  dead(record: DeadRecord): void {
    this.#calls.push((events) => events.dead(record));
  }

  intake(partition: number, open: boolean): void {
    this.#calls.push((events) => events.intake(partition, open));
  }

  /** Said once until `commitTaken`. */
  commitWanted(): void {
    if (this.#commitWanted) return;
    this.#commitWanted = true;
    this.#calls.push((events) => events.commitWanted());
  }

  commitTaken(): void {
    this.#commitWanted = false;
  }

  flushFrames(): void {
    if (this.#settled.size > 0) {
      const settled = this.#settled;
      this.#settled = new Map();
      for (const [session, all] of settled) {
        for (const ranges of chunks(all)) session.port?.send({ type: "settled", ranges });
      }
    }
    if (this.#cancels.size > 0) {
      const cancels = this.#cancels;
      this.#cancels = new Map();
      for (const [session, reasons] of cancels) {
        for (const [reason, all] of reasons) {
          for (const records of chunks(all))
            session.port?.send({ type: "cancel", reason, records });
        }
      }
    }
    if (this.#errors.size > 0) {
      const errors = this.#errors;
      this.#errors = new Map();
      for (const [session, codes] of errors) {
        for (const [code, all] of codes) {
          for (const records of chunks(all)) {
            session.port?.send({ type: "error", code, message: words[code], records });
          }
        }
      }
    }
  }

  flushEvents(): void {
    while (this.#calls.length > 0) {
      const calls = this.#calls;
      this.#calls = [];
      for (const call of calls) call(this.#events);
    }
  }
}

function* chunks<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < list.length; at += maxPerFrame) yield list.slice(at, at + maxPerFrame);
}

function append<K>(
  to: Map<Session, Map<K, RecordRef[]>>,
  session: Session,
  key: K,
  record: RecordRef,
): void {
  let lists = to.get(session);
  if (lists === undefined) {
    lists = new Map();
    to.set(session, lists);
  }
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [record]);
  else list.push(record);
}
