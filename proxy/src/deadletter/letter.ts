import { appendHeaders, emptyHeaders, formatMsgId } from "@kafkaproxy/wire";
import type { DeadRecord } from "../dispatch/index.ts";

/** A dead record as it is written. */
export interface Letter {
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Header block. */
  readonly headers: Uint8Array;
}

/** Size of its key, value and headers. */
export function letterBytes({ key, value, headers }: Letter): number {
  return (key?.byteLength ?? 0) + (value?.byteLength ?? 0) + headers.byteLength;
}

/**
 * How much of the record the dead-letter topic takes.
 * - `whole`: key, value, headers, timestamp, and our headers;
 * - `pointer`: no value, where the whole is refused as too large, compressed too;
 * - `bare`: no value, no key, none of its own headers, where even that is refused.
 */
export const letterForms = ["whole", "pointer", "bare"] as const;
export type LetterForm = (typeof letterForms)[number];

/** Whose record it was, and when it died. */
export interface LetterContext {
  readonly topic: string;
  readonly consumerGroup: string;
  /** ms since 1970. */
  readonly firstDeliveredAt: number | undefined;
  readonly deadAt: number;
}

/** Names of the headers that we add; the first six are those of Kafka's own share-group dead letters. */
export const letterHeaders = {
  topic: "__dlq.errors.topic",
  partition: "__dlq.errors.partition",
  offset: "__dlq.errors.offset",
  group: "__dlq.errors.group",
  deliveryCount: "__dlq.errors.delivery.count",
  message: "__dlq.errors.message",
  msgId: "kafkaproxy.msg-id",
  disposition: "kafkaproxy.disposition",
  firstDeliveredAt: "kafkaproxy.first-delivered-at",
  deadAt: "kafkaproxy.dead-at",
  worker: "kafkaproxy.worker",
  /** Present on pointer records: `pointer` or `bare`. */
  pointer: "kafkaproxy.pointer",
} as const;

/** Our headers stand after the record's own, which keep their bytes, order and repeats. */
export function writeLetter(dead: DeadRecord, context: LetterContext, form: LetterForm): Letter {
  const { record, partition } = dead;
  const added: [string, string][] = [
    [letterHeaders.topic, context.topic],
    [letterHeaders.partition, String(partition)],
    [letterHeaders.offset, String(record.offset)],
    [letterHeaders.group, context.consumerGroup],
    [letterHeaders.deliveryCount, String(dead.deliveries)],
    [letterHeaders.message, dead.message],
    [letterHeaders.msgId, formatMsgId({ topic: context.topic, partition, offset: record.offset })],
    [letterHeaders.disposition, dead.disposition],
  ];
  if (context.firstDeliveredAt !== undefined) {
    added.push([letterHeaders.firstDeliveredAt, rfc3339(context.firstDeliveredAt)]);
  }
  added.push([letterHeaders.deadAt, rfc3339(context.deadAt)], [letterHeaders.worker, dead.worker]);
  if (form !== "whole") added.push([letterHeaders.pointer, form]);
  return {
    timestamp: record.timestamp,
    key: form === "bare" ? null : record.key,
    value: form === "whole" ? record.value : null,
    headers: appendHeaders(
      form === "bare" ? emptyHeaders : record.headers,
      added.map(([name, value]) => ({ name, value: Buffer.from(value, "utf8") })),
    ),
  };
}

function rfc3339(at: number): string {
  return new Date(at).toISOString();
}
