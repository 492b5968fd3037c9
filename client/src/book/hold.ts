import type { Delivery, Frame, RecordRef } from "@kafkaproxy/wire";
import { ClientError } from "../client-error.ts";
import { Message, type MessageControl } from "../message.ts";
import type { Outlet, Sink } from "./outlet.ts";

/** All values of LossReason. */
export const lossReasons = [
  "settled",
  "expired",
  "moved",
  "stale",
  "disconnected",
  "max-processing-time",
  "drained",
] as const;
/**
 * Why a delivery is no longer ours:
 * - `settled`: somebody else's ack counted: a former or later holder's;
 * - `expired`: the proxy let the lease run out;
 * - `moved`: its partition moved, and no new owner took us as the holder in time;
 * - `stale`: somebody else holds it by now;
 * - `disconnected`: the connection was lost for longer than the lease;
 * - `max-processing-time`: held for longer than the proxy's maxProcessingTime;
 * - `drained`: the worker was drained, and its handler did not end in time.
 */
export type LossReason = (typeof lossReasons)[number];

const lossWords: Record<LossReason, string> = {
  settled: "it was acknowledged by another holder",
  expired: "its lease ran out at the proxy",
  moved: "its partition moved and no new owner confirmed the lease in time",
  stale: "another worker holds it now",
  disconnected: "the connection to its proxy was away for longer than the lease",
  "max-processing-time": "it was held for longer than the proxy's maxProcessingTime",
  drained: "the worker is being drained, and the time for that is over",
};

/** What a hold asks of the book it stands in. */
export interface HoldKeeper {
  ack(hold: Hold): void;
  giveBack(hold: Hold, verdict: Verdict): void;
  extend(hold: Hold): void;
}

/** The end of a delivery that is not an ack. */
export type Verdict =
  | { readonly type: "nack"; readonly delayMs: number; readonly reason: string }
  | { readonly type: "reject"; readonly reason: string }
  | { readonly type: "release" };

/** One delivery in this client's hands. */
export class Hold implements MessageControl, RecordRef {
  readonly partition: number;
  readonly offset: number;
  attempt: number;
  readonly message: Message;
  readonly sink: Sink;
  readonly receivedAt: number;
  readonly #keeper: HoldKeeper;
  #controller: AbortController | undefined;

  /** held -> acked | returned | lost; a late ack: lost -> acked. */
  phase: "held" | "acked" | "returned" | "lost" = "held";
  lostBy: LossReason | undefined;
  /** How it was handed back. */
  verdict: Verdict["type"] | undefined;
  /** In somebody's hands, as against prefetched. */
  started = false;
  /** False: the lease runs out unless it is extended one by one. */
  renewing: boolean;
  /** The session that leases it to us, or that it has been presented to; undefined while its partition has no owner that we know. */
  outlet: Outlet | undefined;
  /** As far as we know, by our clock. */
  leaseUntil: number;
  /** Since when no session has confirmed the lease; undefined while one has. */
  unconfirmedSince: number | undefined;

  constructor(
    now: number,
    topic: string,
    delivery: Delivery,
    outlet: Outlet,
    sink: Sink,
    keeper: HoldKeeper,
  ) {
    this.partition = delivery.partition;
    this.offset = delivery.offset;
    this.attempt = delivery.attempt;
    this.outlet = outlet;
    this.sink = sink;
    this.#keeper = keeper;
    this.receivedAt = now;
    this.leaseUntil = now + delivery.leaseMs;
    this.renewing = sink.renews;
    this.message = new Message(topic, delivery, this);
  }

  /** Made when it is first asked for: most handlers never do, and a controller costs more than all else here. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.phase === "lost") {
        this.abort();
      }
    }
    return this.#controller.signal;
  }

  abort(): void {
    this.#controller?.abort(this.lossError());
  }

  lossError(): ClientError {
    const reason = this.lostBy ?? "expired";
    return new ClientError(
      "lease-lost",
      `${this.message.msgId} (delivery ${this.attempt}) is no longer ours: ${lossWords[reason]}. Stop working on it.`,
    );
  }

  ack(): void {
    this.#keeper.ack(this);
  }

  nack(delayMs: number, reason: string): void {
    this.#keeper.giveBack(this, { type: "nack", delayMs, reason });
  }

  reject(reason: string): void {
    this.#keeper.giveBack(this, { type: "reject", reason });
  }

  release(): void {
    this.#keeper.giveBack(this, { type: "release" });
  }

  // async, so that every error is a rejection.
  async extend(): Promise<void> {
    if (this.phase === "lost") {
      throw this.lossError();
    }
    if (this.phase !== "held") {
      throw new ClientError(
        "already-settled",
        `${this.message.msgId} is settled already; there is nothing to extend.`,
      );
    }
    this.#keeper.extend(this);
  }
}

/** The record's name on the wire, without the rest of the hold. */
export function refOf({ partition, offset, attempt }: RecordRef): RecordRef {
  return { partition, offset, attempt };
}

/** The frame that says `verdict` on one record; release frames are made for many at once. */
export function verdictFrame(record: RecordRef, verdict: Verdict): Frame {
  switch (verdict.type) {
    case "nack":
      return { type: "nack", record, delayMs: verdict.delayMs, reason: verdict.reason };
    case "reject":
      return { type: "reject", record, reason: verdict.reason };
    default:
      return { type: "release", records: [record] };
  }
}
