/**
 * What a member says of itself when it joins: the classic protocol's userData. JSON, so that people
 * can read it with Kafka's own tools, and so that a field that a newer version adds is skipped by an
 * older one. What a reader must understand is named by the protocol's name, `kafkaproxy-1`.
 */
import { KafkaError } from "../errors.ts";

export interface MemberData {
  /** 0 to replicas - 1 of the StatefulSet. */
  readonly ordinal: number;
  /** The configured count, not how many happen to run. */
  readonly replicas: number;
  /** Whose `replicas` counts: the highest. */
  readonly configGeneration: number;
  /** Wall clock of the process' start: of two with one ordinal, the later has it. */
  readonly startedAtMs: number;
  /** How many partitions the topic has, as far as this member knows. */
  readonly partitionCount: number;
  readonly owned: readonly number[];
  /** The group generation at which `owned` was given; -1 with nothing owned. */
  readonly ownedGeneration: number;
  /**
   * Counts the rounds that this member asked for without another change: the broker answers a
   * follower that says what it has said before with the assignment that it has.
   */
  readonly asked: number;
}

const minorVersion = 0;
const protocolVersion = 0;

/** ConsumerProtocolSubscription version 0 (topics, userData), so that Kafka's tools can read it. */
export function encodeMember(topic: string, data: MemberData): Buffer {
  const userData = Buffer.from(JSON.stringify({ minor: minorVersion, ...data }));
  const name = Buffer.from(topic);
  const out = Buffer.alloc(2 + 4 + 2 + name.length + 4 + userData.length);
  let at = out.writeInt16BE(protocolVersion, 0);
  at = out.writeInt32BE(1, at);
  at = out.writeInt16BE(name.length, at);
  at += name.copy(out, at);
  at = out.writeInt32BE(userData.length, at);
  userData.copy(out, at);
  return out;
}

/** Throws `group-protocol` for bytes that no version of ours has written. */
export function decodeMember(bytes: Buffer): MemberData {
  try {
    let at = 2;
    const topics = bytes.readInt32BE(at);
    at += 4;
    for (let index = 0; index < topics; index += 1) at += 2 + bytes.readInt16BE(at);
    const length = bytes.readInt32BE(at);
    const parsed: unknown = JSON.parse(bytes.toString("utf8", at + 4, at + 4 + length));
    const fields = parsed as Record<string, unknown>;
    return {
      ordinal: integer(fields, "ordinal"),
      replicas: Math.max(1, integer(fields, "replicas")),
      configGeneration: integer(fields, "configGeneration"),
      startedAtMs: integer(fields, "startedAtMs"),
      partitionCount: integer(fields, "partitionCount"),
      owned: integers(fields, "owned"),
      ownedGeneration: integer(fields, "ownedGeneration"),
      asked: integer(fields, "asked"),
    };
  } catch (cause) {
    throw new KafkaError(
      "group-protocol",
      "a member of the group has metadata that can't be read: it is not of kafkaproxy-1",
      { cause },
    );
  }
}

function integer(fields: Record<string, unknown>, name: string): number {
  const value = fields[name];
  if (typeof value !== "number" || !Number.isSafeInteger(value)) {
    throw new TypeError(`${name} is not an integer`);
  }
  return value;
}

function integers(fields: Record<string, unknown>, name: string): number[] {
  const value = fields[name];
  if (!Array.isArray(value) || !value.every((one) => Number.isSafeInteger(one))) {
    throw new TypeError(`${name} is not a list of integers`);
  }
  return value as number[];
}

/** What the leader tells one member. */
export interface MemberAssignment {
  readonly partitions: readonly number[];
  /** Given to nobody in this round, because who must give them up has not done so yet. */
  readonly withheld: readonly number[];
}

/** ConsumerProtocolAssignment version 0; what is withheld goes into its userData. */
export function encodeAssignment(topic: string, assignment: MemberAssignment): Buffer {
  const { partitions, withheld } = assignment;
  const userData = Buffer.from(JSON.stringify({ minor: minorVersion, withheld }));
  const name = Buffer.from(topic);
  const out = Buffer.alloc(
    2 + 4 + 2 + name.length + 4 + 4 * partitions.length + 4 + userData.length,
  );
  let at = out.writeInt16BE(protocolVersion, 0);
  at = out.writeInt32BE(1, at);
  at = out.writeInt16BE(name.length, at);
  at += name.copy(out, at);
  at = out.writeInt32BE(partitions.length, at);
  for (const partition of partitions) at = out.writeInt32BE(partition, at);
  at = out.writeInt32BE(userData.length, at);
  userData.copy(out, at);
  return out;
}

/**
 * The partitions of `topic`; none for the empty answer of a leader that gave us nothing. Throws
 * `group-protocol` for bytes that no version of ours has written.
 */
export function decodeAssignment(topic: string, bytes: Buffer | null): MemberAssignment {
  if (bytes === null || bytes.length === 0) return { partitions: [], withheld: [] };
  try {
    const partitions: number[] = [];
    let at = 2;
    const topics = bytes.readInt32BE(at);
    at += 4;
    for (let index = 0; index < topics; index += 1) {
      const length = bytes.readInt16BE(at);
      const name = bytes.toString("utf8", at + 2, at + 2 + length);
      at += 2 + length;
      const count = bytes.readInt32BE(at);
      at += 4;
      for (let read = 0; read < count; read += 1, at += 4) {
        if (name === topic) partitions.push(bytes.readInt32BE(at));
      }
    }
    const length = bytes.readInt32BE(at);
    if (length <= 0) return { partitions, withheld: [] };
    const parsed: unknown = JSON.parse(bytes.toString("utf8", at + 4, at + 4 + length));
    return { partitions, withheld: integers(parsed as Record<string, unknown>, "withheld") };
  } catch (cause) {
    throw new KafkaError(
      "group-protocol",
      "the group's leader sent an assignment that can't be read: it is not of kafkaproxy-1",
      { cause },
    );
  }
}
