import type { KafkaSettings, Logger } from "../connection/index.ts";

/** What a commit is made under. The broker refuses it once either is no longer the group's. */
export interface MemberIdentity {
  readonly memberId: string;
  readonly generation: number;
}

/**
 * `idle` before start; `joining` before the first assignment; `stable`; `rebalancing` (kept
 * partitions go on); `unreachable`: heartbeats fail, it keeps trying; `refused`: the broker or the
 * group does not take this member, `refusal` says why; `closed`.
 */
export type MemberState =
  | "idle"
  | "joining"
  | "stable"
  | "rebalancing"
  | "unreachable"
  | "refused"
  | "closed";

export interface GroupMemberHandlers {
  /**
   * Partitions now ours. The promise ends when their positions are known and they may be fetched; a
   * rejected one is asked again, with backoff, while they are still ours.
   */
  assigned(gained: readonly number[], identity: MemberIdentity): Promise<void>;
  /**
   * Partitions taken away in an orderly way, no longer in `owned`. Commit under `identity` before
   * the promise ends: only then may the next owner have them. Called after `assigned` has ended.
   */
  revoked(lost: readonly number[], identity: MemberIdentity): Promise<void>;
  /** Partitions gone without warning: somebody else may have them, and no commit is possible. */
  lost(lost: readonly number[]): void;
  /** A new generation: kept partitions commit under this from now on. */
  generation(identity: MemberIdentity): void;
  state?(state: MemberState): void;
}

export interface GroupMemberOptions {
  readonly settings: KafkaSettings;
  readonly groupId: string;
  readonly topic: string;
  /** Static membership: the pod's name. Two members with one name: the newer stays. */
  readonly instanceId: string;
  readonly ordinal: number;
  /** The configured count of replicas, and the generation of the configuration that says so. */
  readonly replicas: number;
  readonly configGeneration: number;
  /** Without a heartbeat for this long the group gives our partitions away. Default 10,000. */
  readonly sessionTimeoutMs?: number;
  /** How long the group waits for a member to rejoin. Default 30,000. */
  readonly rebalanceTimeoutMs?: number;
  /** Also the gap of a partition that moves. Default 500. */
  readonly heartbeatIntervalMs?: number;
  /** How often added partitions are looked for. Default 30,000. */
  readonly metadataRefreshMs?: number;
  readonly handlers: GroupMemberHandlers;
  /** Default: the settings' logger. */
  readonly logger?: Logger;
  /** Monotonic milliseconds. Default `performance.now()`. */
  readonly now?: () => number;
  /** Wall clock at which this member started; settles which of two with one ordinal is the newer. */
  readonly startedAtMs?: number;
}
