import { WireError } from "./wire-error.ts";

/** What a msgId names: a record by where it stands in Kafka. */
export interface MsgId {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** What Kafka allows as a topic's name; it has no colon, so a msgId can be taken apart again. */
const topicName = /^[a-zA-Z0-9._-]{1,249}$/;
const maxPartition = 0x7fff_ffff;

/**
 * `topic:partition:offset`, as people see it in logs and give it to look up a dead letter.
 *
 * @throws WireError `invalid-msg-id` when a part can't be.
 */
export function formatMsgId({ topic, partition, offset }: MsgId): string {
  return checked(`${topic}:${partition}:${offset}`, topic, partition, offset);
}

/**
 * The parts of a msgId.
 *
 * @throws WireError `invalid-msg-id`, whose message names what is wrong.
 */
export function parseMsgId(text: string): MsgId {
  const parts = text.split(":");
  const [topic, partition, offset] = parts;
  if (
    parts.length !== 3 ||
    topic === undefined ||
    partition === undefined ||
    offset === undefined
  ) {
    throw invalid(text, `it has ${parts.length} parts between colons, not 3`);
  }
  const numbers = { partition: wholeNumber(partition), offset: wholeNumber(offset) };
  checked(text, topic, numbers.partition, numbers.offset);
  return { topic, ...numbers };
}

/** NaN for all but one spelling of each number, so that a record has one msgId. */
function wholeNumber(text: string): number {
  return /^(0|[1-9][0-9]*)$/.test(text) ? Number(text) : Number.NaN;
}

function checked(text: string, topic: string, partition: number, offset: number): string {
  if (!topicName.test(topic) || topic === "." || topic === "..") {
    throw invalid(text, `"${clip(topic)}" is no topic name (1 to 249 of a-z A-Z 0-9 . _ -)`);
  }
  if (!Number.isInteger(partition) || partition < 0 || partition > maxPartition) {
    throw invalid(text, `its partition is not a whole number of 0 to ${maxPartition}`);
  }
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw invalid(text, `its offset is not a whole number of 0 to ${Number.MAX_SAFE_INTEGER}`);
  }
  return text;
}

function invalid(text: string, why: string): WireError {
  return new WireError(
    "invalid-msg-id",
    `"${clip(text)}" is no msgId: ${why}. A msgId is topic:partition:offset, like orders:3:1042.`,
  );
}

/** An error message quotes what was found, but not all of a megabyte. */
function clip(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}...` : text;
}
