import type { Offset } from "@kafkaproxy/wire";
import { Linked } from "./linked-list.ts";

/** A record as the source read it; its bytes belong to the window from then on. */
export interface SourceRecord {
  readonly offset: Offset;
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Uint8Array;
}

/**
 * - `expected`: known from a snapshot or from a client that presented it, not fetched yet, held by nobody;
 * - `doomed`: as `expected`, and its deliveries are over;
 * - `ready`: can be delivered; - `delayed`: waits for its backoff; - `uncounted`: waits for a commit that records its deliveries;
 * - `leased`: out, with `holder`, or with nobody that we know when a former owner delivered it;
 * - `dying`: its deliveries are over, it waits for the dead-letter topic; - `settled`: done, and out of the window.
 */
export type RecordState =
  | "expected"
  | "doomed"
  | "ready"
  | "delayed"
  | "uncounted"
  | "leased"
  | "dying"
  | "settled";

/** Who a record is leased to. */
export interface Holder {
  readonly id: string;
  readonly clientName: string;
  readonly held: Set<WindowRecord>;
}

/** Who ever held a record is remembered up to this many sessions; the oldest is forgotten first. */
const maxHolders = 32;

/**
 * One unsettled record of a window. It is in one list at most: among the ready of its partition, or in the timer
 * wheel while it is leased or delayed.
 */
export class WindowRecord extends Linked<WindowRecord> {
  readonly partition: number;
  readonly offset: Offset;
  state: RecordState = "expected";
  /** When the lease or the delay ends; may be moved on in place, the wheel looks again. */
  dueAt = 0;
  /** Absent before it is fetched and after it is settled. */
  source: SourceRecord | undefined = undefined;
  /** Size of its delivery on the wire. */
  bytes = 0;
  /** How many records the window had admitted before it; -1 before it is fetched. */
  sequence = -1;
  admittedAt = 0;
  /** Deliveries that count. While leased, this is the attempt that is out. */
  deliveries = 0;
  /** Deliveries that the last confirmed commit records in a place that later commits keep. */
  recorded = 0;
  holder: Holder | undefined = undefined;
  deliveredAt = 0;
  firstDeliveredAt: number | undefined = undefined;
  /** Client name of the last holder. */
  worker = "";
  /** A worker said that nobody can process it. */
  rejected = false;
  // Nearly every record has one holder in its life: no list for it.
  #firstHolder = "";
  #laterHolders: string[] | undefined = undefined;

  constructor(partition: number, offset: Offset) {
    super();
    this.partition = partition;
    this.offset = offset;
  }

  everHeldBy(sessionId: string): boolean {
    return this.#firstHolder === sessionId || this.#laterHolders?.includes(sessionId) === true;
  }

  rememberHolder(sessionId: string): void {
    if (this.#firstHolder === "") {
      this.#firstHolder = sessionId;
    } else if (!this.everHeldBy(sessionId)) {
      this.#laterHolders ??= [];
      if (this.#laterHolders.length >= maxHolders) this.#laterHolders.shift();
      this.#laterHolders.push(sessionId);
    }
  }
}
