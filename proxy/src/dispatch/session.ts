import type { RecordRef } from "@kafkaproxy/wire";
import { type Holder, Linked, OffsetRanges, type WindowRecord } from "../ledger/index.ts";
import type { Alarm } from "./alarm.ts";
import type { SessionInfo, SessionPort } from "./types.ts";

/** A pull that waits for its first record. */
export interface Claim {
  readonly requestId: number;
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** Ends the wait. */
  alarm: Alarm | undefined;
}

/** A session that wants to be told when records are ready. */
export interface Watch {
  readonly maxMessages: number;
  readonly alarm: Alarm;
}

/** Ready records kept for a session that was told of them. */
export interface Offer {
  readonly offerId: number;
  readonly count: number;
  readonly alarm: Alarm;
  /** What it was told for. */
  readonly watch: Watch | undefined;
}

/** A worker's connection as dispatch sees it: what it holds, what it asks for. It outlives its connection by its leases. */
export class Session extends Linked<Session> implements Holder {
  readonly id: string;
  readonly clientName: string;
  readonly mode: SessionInfo["mode"];
  port: SessionPort | undefined;
  readonly held = new Set<WindowRecord>();
  // What it asks for belongs to the connection, and is gone with it.
  readonly claims = new Set<Claim>();
  watch: Watch | undefined = undefined;
  offer: Offer | undefined = undefined;
  credit = 0;
  /** Cancels that a lost connection could not carry. */
  missed: {
    readonly reason: "settled" | "expired" | "moved" | "stale";
    readonly record: RecordRef;
  }[] = [];
  /** Runs while there is no connection; ends the session when nothing is held. */
  forget: Alarm | undefined = undefined;

  constructor(info: SessionInfo, port: SessionPort) {
    super();
    this.id = info.sessionId;
    this.clientName = info.clientName;
    this.mode = info.mode;
    this.port = port;
  }

  /** Held when their partition was taken away: if it comes back, an ack still counts. Per partition, the last time only. */
  readonly #taken = new Map<number, { readonly round: number; readonly offsets: OffsetRanges }>();

  /** `round` is another number each time that a partition is taken away. */
  rememberTaken(round: number, record: WindowRecord): void {
    const known = this.#taken.get(record.partition);
    if (known?.round === round) known.offsets.add(record.offset);
    else {
      const offsets = new OffsetRanges();
      offsets.add(record.offset);
      this.#taken.set(record.partition, { round, offsets });
    }
  }

  everHeld(record: WindowRecord): boolean {
    return (
      record.everHeldBy(this.id) ||
      this.#taken.get(record.partition)?.offsets.has(record.offset) === true
    );
  }

  /** True when it asks for records, or to be told of some, and can be written to. */
  get wants(): boolean {
    return (
      this.port?.writable === true &&
      (this.claims.size > 0 ||
        this.credit > 0 ||
        (this.watch !== undefined && this.offer === undefined))
    );
  }
}
