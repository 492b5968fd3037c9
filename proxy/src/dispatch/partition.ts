import type { Offset } from "@kafkaproxy/wire";
import {
  Linked,
  LinkedList,
  OffsetRanges,
  Window,
  type WindowRecord,
  type WindowTotals,
} from "../ledger/index.ts";
import type { Alarm } from "./alarm.ts";
import type { OpenCommit } from "./open-commit.ts";
import type { Session } from "./session.ts";

/** Settled records that no snapshot covers: what a crash would replay. At this many, intake closes until a commit covers them. */
export const maxUncovered = 100_000;

/** Acks given and not yet durable, by who gave them. */
export type PendingAcks = Map<Session, OffsetRanges>;

/** A partition while this proxy owns it. Assigned again later, it is another object: what is late finds the old one. */
export class Partition extends Linked<Partition> {
  readonly number: number;
  readonly window: Window;
  /** Delivered before; they go first. */
  readonly again = new LinkedList<WindowRecord>();
  readonly fresh = new LinkedList<WindowRecord>();
  /** Set while a takeover without hand-over waits for clients to present what they hold. */
  presentWait: Alarm | undefined = undefined;
  /** A commit of this owner stands: who comes next takes neither a hand-over flag for its word nor the group for a new one. */
  standing = false;
  /** When a commit of this owner was first refused, in ms; of interest while none stands. */
  refusedSince: number | undefined = undefined;
  intakeOpen = true;
  /** Something changed since the last take. */
  dirty = false;
  committed: Offset;
  taken: OpenCommit | undefined = undefined;
  acks: PendingAcks = new Map();
  /** Settled records, of `window.settledTotal`, that the last confirmed commit covers. */
  covered = 0;
  /** `window.settledTotal` at the last take. */
  settledAtTake = 0;

  constructor(number: number, watermark: Offset, totals: WindowTotals) {
    super();
    this.number = number;
    this.window = new Window(number, watermark, totals);
    this.committed = watermark;
  }

  /** Nothing of it goes out yet. */
  get gated(): boolean {
    return !this.standing || this.presentWait !== undefined;
  }

  get ready(): number {
    return this.again.size + this.fresh.size;
  }

  get uncovered(): number {
    return this.window.settledTotal - this.covered;
  }

  addAck(session: Session, first: Offset, last: Offset): void {
    let ranges = this.acks.get(session);
    if (ranges === undefined) {
      ranges = new OffsetRanges();
      this.acks.set(session, ranges);
    }
    ranges.add(first, last);
    this.dirty = true;
  }

  /** Gives acks back that a commit did not make durable. */
  returnAcks(acks: PendingAcks): void {
    for (const [session, ranges] of acks) {
      const pending = this.acks.get(session);
      if (pending === undefined) this.acks.set(session, ranges);
      else pending.addAll(ranges);
    }
  }
}
