import {
  type Delivery,
  decodeHeaders,
  formatMsgId,
  maxNackDelayMs,
  type RecordHeader,
} from "@kafkaproxy/wire";

/** What a message asks of whoever keeps its lease. */
export interface MessageControl {
  readonly signal: AbortSignal;
  readonly attempt: number;
  ack(): void;
  nack(delayMs: number, reason: string): void;
  reject(reason: string): void;
  extend(): Promise<void>;
}

/** One header of a message. */
export interface MessageHeader {
  /** UTF-8 by custom; bytes that are not read as U+FFFD. */
  readonly name: string;
  /** Null and empty differ. The bytes are shared with other messages' memory: do not write to them. */
  readonly value: Buffer | null;
}

/** How a message is handed back. */
export interface NackOptions {
  /** When to deliver it again, in ms from now, at most 15 minutes; default: the proxy's backoff. */
  readonly delayMs?: number;
  /** For people: it is seen in the dead letter if this was the last delivery. */
  readonly reason?: string;
}

/**
 * One delivery of one record.
 *
 * It is settled by `ack`, `nack` or `reject`; the first of them wins, and the others do nothing then.
 * None of them throws or waits: what can't be sent now is sent when the connection is back,
 * or to the proxy that serves the partition next.
 */
export class Message {
  /** Topic that the record is from. */
  readonly topic: string;
  /** Partition of the topic that the record is from. */
  readonly partition: number;
  /** Offset in the partition. */
  readonly offset: number;
  readonly #delivery: Delivery;
  readonly #control: MessageControl;
  #headers: readonly MessageHeader[] | undefined;

  /** Made by the client. */
  constructor(topic: string, delivery: Delivery, control: MessageControl) {
    this.topic = topic;
    this.partition = delivery.partition;
    this.offset = delivery.offset;
    this.#delivery = delivery;
    this.#control = control;
  }

  /** `topic:partition:offset`: leads to the dead letter of this message, should it become one. */
  get msgId(): string {
    return formatMsgId(this);
  }

  /** 1 for the first delivery of this record, 2 for the next one, and so on. */
  get attempt(): number {
    return this.#control.attempt;
  }

  /** When the record was produced, or appended to the topic; undefined when Kafka has no time for it. */
  get timestamp(): Date | undefined {
    const { timestamp } = this.#delivery;
    return timestamp < 0 ? undefined : new Date(timestamp);
  }

  /** Null for none, which is not an empty one. The bytes are shared with other messages' memory: do not write to them. */
  get key(): Buffer | null {
    return toBuffer(this.#delivery.key);
  }

  /** Null for a tombstone. The bytes are shared with other messages' memory: do not write to them. */
  get value(): Buffer | null {
    return toBuffer(this.#delivery.value);
  }

  /** All headers in their order; names may repeat. */
  get headers(): readonly MessageHeader[] {
    this.#headers ??= decodeHeaders(this.#delivery.headers).map(
      ({ name, value }: RecordHeader): MessageHeader => ({ name, value: toBuffer(value) }),
    );
    return this.#headers;
  }

  /** Value of the first header of this name; undefined when there is none, null when its value is null. */
  header(name: string): Buffer | null | undefined {
    return this.headers.find((header) => header.name === name)?.value;
  }

  /** W3C trace context, where the producer sent it as a header. */
  get traceparent(): string | undefined {
    return this.header("traceparent")?.toString("utf8");
  }

  /** The value as UTF-8; "" for a tombstone. */
  text(): string {
    return this.value?.toString("utf8") ?? "";
  }

  /**
   * The value read as JSON; null for a tombstone. What it is like is the caller's word.
   * @throws SyntaxError when it is no JSON: in a handler that is a nack.
   */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- so that a handler reads message.json<Order>()
  json<T = unknown>(): T {
    return JSON.parse(this.value === null ? "null" : this.text()) as T;
  }

  /**
   * Aborts when this delivery is no longer ours: somebody else may get the record then. Its reason is a ClientError.
   * A handler that stops because of it has to throw, as what takes a signal does by itself: returning is an ack, and
   * a late ack counts.
   */
  get signal(): AbortSignal {
    return this.#control.signal;
  }

  /** Done: it is not delivered again. Counts even when the lease has just run out. */
  ack(): void {
    this.#control.ack();
  }

  /** Not done: it is delivered again, up to the last allowed delivery. */
  nack(options: NackOptions = {}): void {
    const { delayMs = -1, reason = "" } = options;
    // A frame must come of it whatever was given; NaN is no delay of ours.
    const allowedMs = Number.isNaN(delayMs) || delayMs < 0 ? -1 : Math.min(delayMs, maxNackDelayMs);
    this.#control.nack(Math.round(allowedMs), asText(reason));
  }

  /** Never to be done: it goes to the dead-letter topic at once. */
  reject(reason = ""): void {
    this.#control.reject(asText(reason));
  }

  /**
   * Renews the lease for another ack time-out. `work()` and `messages()` do so by themselves; what `pull()` returned needs it.
   * @throws ClientError `lease-lost`, `already-settled`, or `unreachable` when its proxy is not connected right now.
   */
  extend(): Promise<void> {
    return this.#control.extend();
  }
}

/** A frame needs a text, and not every caller is type-checked. */
function asText(given: unknown): string {
  return String(given);
}

function toBuffer(bytes: Uint8Array | null): Buffer | null {
  if (bytes === null || Buffer.isBuffer(bytes)) {
    return bytes;
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
