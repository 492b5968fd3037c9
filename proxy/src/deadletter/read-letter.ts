import type { KafkaRecord } from "@kafkaproxy/kafka";
import { decodeHeaders, type RecordHeader } from "@kafkaproxy/wire";
import { letterHeaders } from "./letter.ts";

/** A dead letter as it was read back: the record as it was, and what we added. */
export interface DeadLetter {
  readonly msgId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly consumerGroup: string;
  readonly deliveries: number;
  /** Why it died, in the worker's words or ours. */
  readonly message: string;
  readonly disposition: string;
  /** RFC 3339; undefined when the proxy that gave it up had not delivered it itself. */
  readonly firstDeliveredAt: string | undefined;
  readonly deadAt: string;
  readonly worker: string;
  /** The dead-letter topic refused its value as too large: it stays in the source topic until retention. */
  readonly pointer: boolean;
  /** Of the source record, ms since 1970. */
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** The record's own headers, in order. */
  readonly headers: readonly RecordHeader[];
}

/** Undefined when the record was not written by us. */
export function readLetter(record: KafkaRecord): DeadLetter | undefined {
  let headers: RecordHeader[];
  try {
    headers = decodeHeaders(record.headers);
  } catch {
    // Somebody else's record, and a strange one: not a letter of ours.
    return undefined;
  }
  // Ours stand last; a dead letter that died again has an older set before them.
  const ours = headers.findLastIndex((header) => header.name === letterHeaders.topic);
  if (ours < 0) return undefined;
  const added = new Map<string, string>();
  for (const { name, value } of headers.slice(ours)) {
    added.set(name, value === null ? "" : Buffer.from(value).toString("utf8"));
  }
  const partition = Number(added.get(letterHeaders.partition));
  const offset = Number(added.get(letterHeaders.offset));
  const msgId = added.get(letterHeaders.msgId);
  if (msgId === undefined || !Number.isInteger(partition) || !Number.isSafeInteger(offset)) {
    return undefined;
  }
  return {
    msgId,
    topic: added.get(letterHeaders.topic) ?? "",
    partition,
    offset,
    consumerGroup: added.get(letterHeaders.group) ?? "",
    deliveries: Number(added.get(letterHeaders.deliveryCount)),
    message: added.get(letterHeaders.message) ?? "",
    disposition: added.get(letterHeaders.disposition) ?? "",
    firstDeliveredAt: added.get(letterHeaders.firstDeliveredAt),
    deadAt: added.get(letterHeaders.deadAt) ?? "",
    worker: added.get(letterHeaders.worker) ?? "",
    pointer: added.has(letterHeaders.pointer),
    timestamp: record.timestamp,
    key: record.key,
    value: record.value,
    headers: headers.slice(0, ours),
  };
}
