/** The group's requests, with the broker's answers turned into values and typed errors. */
import { messages } from "../connection/index.ts";
import type { KafkaConnection, Lane, Message } from "../connection/index.ts";
import { KafkaError, type KafkaErrorCode } from "../errors.ts";
import { assign } from "./assignor.ts";
import { decodeAssignment, decodeMember, encodeAssignment, encodeMember } from "./member-data.ts";
import type { MemberAssignment, MemberData } from "./member-data.ts";
import type { MemberIdentity } from "./options.ts";

/** Its number changes when members of two versions can't share a group. */
export const protocolName = "kafkaproxy-1";
const protocolType = "consumer";
const memberIdRequired = 79;

export interface GroupNames {
  readonly groupId: string;
  readonly topic: string;
  readonly instanceId: string;
}

export interface JoinRequest {
  /** "" for the first time. */
  readonly memberId: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly data: MemberData;
}

export interface OffsetToCommit {
  readonly partition: number;
  readonly offset: number;
  readonly metadata: string;
}

/** The partitions whose offset the broker did not take, each with its reason. */
export type RefusedOffsets = ReadonlyMap<number, KafkaError>;

/** Answered for one partition, they are about the member or its coordinator: nothing of the commit was taken. */
const aboutAll: ReadonlySet<KafkaErrorCode> = new Set([
  "coordinator-unavailable",
  "fenced",
  "rebalance-in-progress",
]);

interface Joined {
  readonly identity: MemberIdentity;
  /** What the leader sends with its SyncGroup; empty for everybody else. */
  readonly assignments: readonly { memberId: string; memberAssignment: Buffer }[];
  readonly partitionCount: number;
}

export class GroupProtocol {
  readonly #connection: KafkaConnection;
  readonly #names: GroupNames;
  /** The node at which a join or sync waits. */
  #waitingAt: number | undefined;

  constructor(connection: KafkaConnection, names: GroupNames) {
    this.#connection = connection;
    this.#names = names;
  }

  /** Waits at the broker until everybody has joined or the rebalance time-out is over. */
  async join(request: JoinRequest): Promise<Joined> {
    const { groupId, topic, instanceId } = this.#names;
    const send = async (memberId: string) =>
      await this.#ask(
        "group",
        messages.joinGroup({
          groupId,
          sessionTimeout: request.sessionTimeoutMs,
          rebalanceTimeout: request.rebalanceTimeoutMs,
          memberId,
          groupInstanceId: instanceId,
          protocolType,
          groupProtocols: [{ name: protocolName, metadata: encodeMember(topic, request.data) }],
        }),
        request.rebalanceTimeoutMs + this.#connection.requestTimeoutMs,
      );
    let answer = await send(request.memberId);
    if (answer.errorCode === memberIdRequired) answer = await send(answer.memberId);
    this.#check(answer.errorCode, "joining");
    const identity = { memberId: answer.memberId, generation: answer.generationId };
    if (answer.leaderId !== answer.memberId) {
      return { identity, assignments: [], partitionCount: request.data.partitionCount };
    }
    return { identity, ...this.#lead(answer.members, request.data.partitionCount) };
  }

  /** Our partitions. Waits at the broker until the leader has said them. */
  async sync(joined: Joined, timeoutMs: number): Promise<MemberAssignment> {
    const { groupId, topic, instanceId } = this.#names;
    const answer = await this.#ask(
      "group",
      messages.syncGroup({
        groupId,
        generationId: joined.identity.generation,
        memberId: joined.identity.memberId,
        groupInstanceId: instanceId,
        groupAssignment: joined.assignments,
      }),
      timeoutMs,
    );
    this.#check(answer.errorCode, "asking for our partitions");
    return decodeAssignment(topic, answer.memberAssignment);
  }

  /** The join or sync under way, if there is one, fails now. */
  abandon(): void {
    if (this.#waitingAt !== undefined) this.#connection.cut(this.#waitingAt, "group");
  }

  async heartbeat(identity: MemberIdentity): Promise<void> {
    const answer = await this.#ask(
      "heartbeat",
      messages.heartbeat({
        groupId: this.#names.groupId,
        groupGenerationId: identity.generation,
        memberId: identity.memberId,
        groupInstanceId: this.#names.instanceId,
      }),
    );
    this.#check(answer.errorCode, "heartbeat");
  }

  /** By instance id, so that it holds whatever the member id has become. */
  async leave(): Promise<void> {
    const { groupId, instanceId } = this.#names;
    const answer = await this.#ask(
      "heartbeat",
      messages.leaveGroup({ groupId, members: [{ memberId: "", groupInstanceId: instanceId }] }),
    );
    this.#check(answer.errorCode || (answer.members[0]?.errorCode ?? 0), "leaving");
  }

  /** Throws what is about the member; an offset that is refused by itself leaves the others committed. */
  async commit(
    offsets: readonly OffsetToCommit[],
    identity: MemberIdentity,
  ): Promise<RefusedOffsets> {
    const { groupId, topic } = this.#names;
    const answer = await this.#ask(
      "main",
      messages.offsetCommit({
        groupId,
        groupGenerationId: identity.generation,
        memberId: identity.memberId,
        topics: [{ topic, partitions: offsets }],
      }),
    );
    const refused = new Map<number, KafkaError>();
    for (const { partition, errorCode } of answer.responses.flatMap((each) => each.partitions)) {
      if (errorCode === 0) continue;
      const error = this.#error(errorCode, `commit of topic ${topic}, partition ${partition}`);
      if (aboutAll.has(error.code)) throw error;
      refused.set(partition, error);
    }
    return refused;
  }

  /** As the group's leader: who gets what. */
  #lead(
    members: readonly {
      memberId: string;
      groupInstanceId: string | null;
      memberMetadata: Buffer;
    }[],
    knownPartitionCount: number,
  ): Pick<Joined, "assignments" | "partitionCount"> {
    const { topic } = this.#names;
    const data = members.flatMap(({ memberId, groupInstanceId, memberMetadata }) => {
      const name = groupInstanceId ?? memberId;
      try {
        return [{ instanceId: name, ...decodeMember(memberMetadata) }];
      } catch (error) {
        this.#connection.logger.error({ error, member: name }, "group: gets no partitions");
        return [];
      }
    });
    const partitionCount = Math.max(
      knownPartitionCount,
      ...data.map((member) => member.partitionCount),
    );
    const { byMember, withheld } = assign(data, partitionCount);
    this.#connection.logger.info(
      { partitionCount, withheld, members: Object.fromEntries(byMember) },
      "group: assigned the partitions",
    );
    return {
      partitionCount,
      assignments: members.map(({ memberId, groupInstanceId }) => ({
        memberId,
        memberAssignment: encodeAssignment(topic, {
          partitions: byMember.get(groupInstanceId ?? memberId) ?? [],
          withheld,
        }),
      })),
    };
  }

  async #ask<Response>(
    lane: Lane,
    message: Message<Response>,
    timeoutMs?: number,
  ): Promise<Response> {
    const { groupId } = this.#names;
    const node = await this.#connection.coordinator(groupId);
    if (lane === "group") this.#waitingAt = node;
    try {
      return await this.#connection.send(
        node,
        message,
        timeoutMs === undefined ? { lane } : { lane, timeoutMs },
      );
    } catch (error) {
      this.#connection.forgetCoordinator(groupId);
      throw error;
    } finally {
      if (lane === "group") this.#waitingAt = undefined;
    }
  }

  #check(errorCode: number, what: string): void {
    if (errorCode !== 0) throw this.#error(errorCode, what);
  }

  #error(errorCode: number, what: string): KafkaError {
    const { groupId, instanceId } = this.#names;
    const error = KafkaError.fromProtocol(errorCode, `group ${groupId}, ${instanceId}: ${what}`);
    if (error.code === "coordinator-unavailable") this.#connection.forgetCoordinator(groupId);
    return error;
  }
}
