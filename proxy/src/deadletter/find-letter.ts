import {
  KafkaError,
  type KafkaConnection,
  type KafkaSettings,
  logOffsets,
  type Logger,
  readRecord,
} from "@kafkaproxy/kafka";
import {
  decodePathSegment,
  formatMsgId,
  groupPath,
  type MsgId,
  parseMsgId,
  type RegistryTarget,
  WireError,
} from "@kafkaproxy/wire";
import { ZooKeeperError, type ZooKeeperSession } from "@kafkaproxy/zookeeper";
import { type IndexEntry, LetterIndex } from "./letter-index.ts";
import { scanLetters } from "./letter-scan.ts";
import { type DeadLetter, readLetter } from "./read-letter.ts";

/** Where a letter lies in the dead-letter topic. */
export interface LetterPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** What there is to say about a msgId. Every kind has words for people. */
export type LetterAnswer =
  | { readonly kind: "found"; readonly letter: DeadLetter; readonly place: LetterPlace }
  | {
      /**
       * - `malformed`: no msgId;
       * - `foreign-topic`, `foreign-group`: another topic, or a dead letter of another group only;
       * - `not-yet-indexed`: dead, and not to be found by its msgId yet;
       * - `pruned`: it was there, and is no longer, or may have been;
       * - `unknown`: no dead letter of this group;
       * - `unavailable`: Kafka or ZooKeeper can't be asked now.
       */
      readonly kind: Exclude<LetterAnswerKind, "found">;
      readonly message: string;
    };

export const letterAnswerKinds = [
  "found",
  "malformed",
  "foreign-topic",
  "foreign-group",
  "not-yet-indexed",
  "pruned",
  "unknown",
  "unavailable",
] as const;
export type LetterAnswerKind = (typeof letterAnswerKinds)[number];

export interface FindLetterOptions {
  readonly connection: KafkaConnection;
  readonly settings: KafkaSettings;
  readonly session: ZooKeeperSession;
  readonly target: RegistryTarget;
  /** The dead-letter topic. */
  readonly deadLetterTopic: string;
  readonly logger: Logger;
}

/** The end of the topic that the index does not cover is searched as far as this many records. */
const maxSearched = 10_000;

/** What a msgId says that can be no dead letter's of `target`; undefined for one that has to be looked up. Asks nobody. */
export function refuseMsgId(
  text: string,
  target: RegistryTarget,
): Extract<LetterAnswer, { readonly message: string }> | undefined {
  try {
    const { topic } = parseMsgId(text);
    if (topic === target.topic) return undefined;
    return {
      kind: "foreign-topic",
      message: `${text} is of topic ${topic}; this is the group ${target.consumerGroup} on topic ${target.topic}.`,
    };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return { kind: "malformed", message: error.message };
  }
}

/** Looks up a dead letter by its msgId. Needs no proxy. Never throws. */
export async function findLetter(options: FindLetterOptions, text: string): Promise<LetterAnswer> {
  const refusal = refuseMsgId(text, options.target);
  if (refusal !== undefined) return refusal;
  try {
    return await search(options, parseMsgId(text));
  } catch (error) {
    if (!(error instanceof KafkaError) && !(error instanceof ZooKeeperError)) throw error;
    const whom = error instanceof KafkaError ? "Kafka" : "ZooKeeper";
    return {
      kind: "unavailable",
      message: `${whom} can't be asked about ${text} now: ${error.message}`,
    };
  }
}

async function search(options: FindLetterOptions, id: MsgId): Promise<LetterAnswer> {
  const { session, target } = options;
  const index = new LetterIndex(session, groupPath(target));
  const entry = await index.find(id.partition, id.offset);
  if (entry !== undefined) return await readBack(options, id, entry);
  const msgId = formatMsgId(id);
  const summary = await index.summary(id.partition);
  const late = await searchTail(options, id, summary?.scanned ?? {});
  if (late !== undefined) return { kind: "not-yet-indexed", message: late };
  if (summary !== undefined && id.offset <= summary.prunedThrough) {
    return {
      kind: "pruned",
      message: `${msgId} is not in the index, which has been pruned up to offset ${summary.prunedThrough} of this partition: if it was a dead letter it is one no longer, or is to be found only by reading ${options.deadLetterTopic}.`,
    };
  }
  const other = await otherGroup(session, target, id);
  if (other !== undefined) {
    return {
      kind: "foreign-group",
      message: `${msgId} is a dead letter of group ${other}, not of ${target.consumerGroup}.`,
    };
  }
  return {
    kind: "unknown",
    message: `${msgId} is no dead letter of group ${target.consumerGroup}.`,
  };
}

async function readBack(
  options: FindLetterOptions,
  id: MsgId,
  place: IndexEntry,
): Promise<LetterAnswer> {
  const msgId = formatMsgId(id);
  const where = `${place.topic}, partition ${place.partition}, offset ${place.offset}`;
  let letter: DeadLetter | undefined;
  try {
    const record = await readRecord(options.connection, place.topic, place.partition, place.offset);
    letter = record === undefined ? undefined : readLetter(record);
  } catch (error) {
    if (!(error instanceof KafkaError) || error.code !== "topic-not-found") throw error;
  }
  // A topic made anew has other records at the same offsets.
  if (letter?.msgId !== msgId || letter.consumerGroup !== options.target.consumerGroup) {
    return {
      kind: "pruned",
      message: `${msgId} was a dead letter at ${where}; the record is gone from there (retention, or the topic was made anew).`,
    };
  }
  const { topic, partition, offset } = place;
  return { kind: "found", letter, place: { topic, partition, offset } };
}

/** Words when the letter lies above what is indexed, or that can't be told. */
async function searchTail(
  options: FindLetterOptions,
  id: MsgId,
  scanned: Readonly<Record<string, number>>,
): Promise<string | undefined> {
  const { connection, settings, deadLetterTopic: topic, target, logger } = options;
  let partitions: number;
  try {
    partitions = (await connection.partitions(topic)).length;
  } catch (error) {
    if (error instanceof KafkaError && error.code === "topic-not-found") return undefined;
    throw error;
  }
  const partition = id.partition % partitions;
  const range = (await logOffsets(connection, topic, [partition])).get(partition);
  if (range === undefined) return undefined;
  const msgId = formatMsgId(id);
  const from = Math.max(scanned[partition] ?? range.earliest, range.earliest);
  let searched = 0;
  let at: number | undefined;
  const end = await scanLetters({
    settings,
    topic,
    partition,
    from,
    to: range.latest,
    record: (record) => {
      const letter = readLetter(record);
      if (letter?.msgId === msgId && letter.consumerGroup === target.consumerGroup) {
        at = record.offset;
      }
      searched++;
      return at === undefined && searched < maxSearched;
    },
    logger,
  });
  if (at !== undefined) {
    return `${msgId} is at ${topic}, partition ${partition}, offset ${at}, and not in the index yet.`;
  }
  if (end < range.latest) {
    return `the index is ${range.latest - from} records behind ${topic}, partition ${partition}: ${msgId} is not among the first ${searched} of them; ask again later.`;
  }
  return undefined;
}

/** Another group of the topic that has it as a dead letter. */
async function otherGroup(
  session: ZooKeeperSession,
  target: RegistryTarget,
  id: MsgId,
): Promise<string | undefined> {
  const own = groupPath(target);
  const topicPath = own.slice(0, own.lastIndexOf("/"));
  for (const segment of (await session.children(topicPath)) ?? []) {
    const path = `${topicPath}/${segment}`;
    if (path === own) continue;
    const entry = await new LetterIndex(session, path).find(id.partition, id.offset);
    if (entry !== undefined) return decodePathSegment(segment);
  }
  return undefined;
}
