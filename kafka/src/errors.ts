/** What can go wrong between us and Kafka: a closed set, so that callers can switch over it. */
export const kafkaErrorCodes = [
  /** The broker refused the credentials or the mechanism. */
  "authentication",
  /** A value passed in cannot work; the message names it. */
  "bad-arguments",
  /** Used after `close()`, or closed while waiting. */
  "closed",
  /** The group's coordinator is moving or loading. */
  "coordinator-unavailable",
  /** A record batch that fails its checks; the message names its offset. */
  "corrupt-batch",
  /** The group knows this member or generation no more: somebody else may own its partitions. */
  "fenced",
  /** The group's members speak another protocol, or the broker refuses how we join. */
  "group-protocol",
  /** An internal of kafkajs that we rely on is not as we know it. */
  "internal-changed",
  /** Commit metadata above the broker's limit. */
  "metadata-too-large",
  /** An ACL is missing; the message says for what. */
  "not-authorized",
  /** Too few replicas in sync for acks=all. */
  "not-enough-replicas",
  /** The partition has another leader, or none just now. */
  "not-leader",
  /** A position below the log's start or above its end. */
  "offset-out-of-range",
  /** The group is between two generations. */
  "rebalance-in-progress",
  /** A record or its batch above the topic's or the broker's limit. */
  "record-too-large",
  /** The broker refuses the request by a rule of its own (policy, record validation). */
  "refused",
  /** An answer did not come in time; the request may have been carried out. */
  "timeout",
  /** The topic is there already. */
  "topic-exists",
  /** No such topic or partition. A topic made a moment ago may be answered so too. */
  "topic-not-found",
  /** An error of the broker that has no name of its own here: see `kafkaCode`. */
  "unknown-broker-error",
  /** No connection to the broker. */
  "unreachable",
  /** A feature, API version or format that one of the two sides does not have. */
  "unsupported",
] as const;

export type KafkaErrorCode = (typeof kafkaErrorCodes)[number];

export interface KafkaErrorOptions {
  /** The same call may succeed later without anything being changed. Default: what is usual for the code. */
  readonly retriable?: boolean;
  /** The protocol's error code that the broker answered. */
  readonly kafkaCode?: number;
  readonly cause?: unknown;
}

const retriableCodes: ReadonlySet<KafkaErrorCode> = new Set([
  "coordinator-unavailable",
  "not-enough-replicas",
  "not-leader",
  "rebalance-in-progress",
  "timeout",
  "unreachable",
]);

/** The one error that this package throws. */
export class KafkaError extends Error {
  override readonly name = "KafkaError";
  readonly code: KafkaErrorCode;
  readonly retriable: boolean;
  readonly kafkaCode?: number;

  constructor(code: KafkaErrorCode, message: string, options: KafkaErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retriable = options.retriable ?? retriableCodes.has(code);
    if (options.kafkaCode !== undefined) this.kafkaCode = options.kafkaCode;
  }

  /**
   * The error for a code that a broker answered (not 0, which is success).
   * `context` says what was asked, with its values: "commit of group g, topic t, partition 3".
   */
  static fromProtocol(
    kafkaCode: number,
    context: string,
    options: { readonly cause?: unknown } = {},
  ): KafkaError {
    const known = protocolErrors.get(kafkaCode);
    const [name, code, retriable] = known ?? ["UNKNOWN", "unknown-broker-error", false];
    const message = `${context}: the broker answered ${name} (${kafkaCode})`;
    return new KafkaError(code, message, { ...options, retriable, kafkaCode });
  }
}

type ProtocolError = readonly [name: string, code: KafkaErrorCode, retriable: boolean];

/**
 * The protocol's codes (https://kafka.apache.org/protocol#protocol_error_codes) that our requests can
 * be answered with. The retriable column is the protocol's, but for two: REBALANCE_IN_PROGRESS (the
 * same member and generation may commit again once the round is complete) and BROKER_NOT_AVAILABLE.
 */
const protocolErrors: ReadonlyMap<number, ProtocolError> = new Map<number, ProtocolError>([
  [-1, ["UNKNOWN_SERVER_ERROR", "unknown-broker-error", false]],
  [1, ["OFFSET_OUT_OF_RANGE", "offset-out-of-range", false]],
  [2, ["CORRUPT_MESSAGE", "corrupt-batch", true]],
  [3, ["UNKNOWN_TOPIC_OR_PARTITION", "topic-not-found", true]],
  [4, ["INVALID_FETCH_SIZE", "bad-arguments", false]],
  [5, ["LEADER_NOT_AVAILABLE", "not-leader", true]],
  [6, ["NOT_LEADER_OR_FOLLOWER", "not-leader", true]],
  [7, ["REQUEST_TIMED_OUT", "timeout", true]],
  [8, ["BROKER_NOT_AVAILABLE", "unreachable", true]],
  [9, ["REPLICA_NOT_AVAILABLE", "not-leader", true]],
  [10, ["MESSAGE_TOO_LARGE", "record-too-large", false]],
  [12, ["OFFSET_METADATA_TOO_LARGE", "metadata-too-large", false]],
  [13, ["NETWORK_EXCEPTION", "unreachable", true]],
  [14, ["COORDINATOR_LOAD_IN_PROGRESS", "coordinator-unavailable", true]],
  [15, ["COORDINATOR_NOT_AVAILABLE", "coordinator-unavailable", true]],
  [16, ["NOT_COORDINATOR", "coordinator-unavailable", true]],
  [17, ["INVALID_TOPIC_EXCEPTION", "bad-arguments", false]],
  [18, ["RECORD_LIST_TOO_LARGE", "record-too-large", false]],
  [19, ["NOT_ENOUGH_REPLICAS", "not-enough-replicas", true]],
  [20, ["NOT_ENOUGH_REPLICAS_AFTER_APPEND", "not-enough-replicas", true]],
  [21, ["INVALID_REQUIRED_ACKS", "bad-arguments", false]],
  [22, ["ILLEGAL_GENERATION", "fenced", false]],
  [23, ["INCONSISTENT_GROUP_PROTOCOL", "group-protocol", false]],
  [24, ["INVALID_GROUP_ID", "bad-arguments", false]],
  [25, ["UNKNOWN_MEMBER_ID", "fenced", false]],
  [26, ["INVALID_SESSION_TIMEOUT", "bad-arguments", false]],
  [27, ["REBALANCE_IN_PROGRESS", "rebalance-in-progress", true]],
  [28, ["INVALID_COMMIT_OFFSET_SIZE", "metadata-too-large", false]],
  [29, ["TOPIC_AUTHORIZATION_FAILED", "not-authorized", false]],
  [30, ["GROUP_AUTHORIZATION_FAILED", "not-authorized", false]],
  [31, ["CLUSTER_AUTHORIZATION_FAILED", "not-authorized", false]],
  [32, ["INVALID_TIMESTAMP", "refused", false]],
  [33, ["UNSUPPORTED_SASL_MECHANISM", "authentication", false]],
  [34, ["ILLEGAL_SASL_STATE", "authentication", false]],
  [35, ["UNSUPPORTED_VERSION", "unsupported", false]],
  [36, ["TOPIC_ALREADY_EXISTS", "topic-exists", false]],
  [37, ["INVALID_PARTITIONS", "bad-arguments", false]],
  [38, ["INVALID_REPLICATION_FACTOR", "bad-arguments", false]],
  [39, ["INVALID_REPLICA_ASSIGNMENT", "bad-arguments", false]],
  [40, ["INVALID_CONFIG", "bad-arguments", false]],
  [41, ["NOT_CONTROLLER", "not-leader", true]],
  [42, ["INVALID_REQUEST", "bad-arguments", false]],
  [43, ["UNSUPPORTED_FOR_MESSAGE_FORMAT", "unsupported", false]],
  [44, ["POLICY_VIOLATION", "refused", false]],
  [54, ["SECURITY_DISABLED", "unsupported", false]],
  [56, ["KAFKA_STORAGE_ERROR", "not-leader", true]],
  [58, ["SASL_AUTHENTICATION_FAILED", "authentication", false]],
  [65, ["DELEGATION_TOKEN_AUTHORIZATION_FAILED", "not-authorized", false]],
  [69, ["GROUP_ID_NOT_FOUND", "fenced", false]],
  [74, ["FENCED_LEADER_EPOCH", "not-leader", true]],
  [75, ["UNKNOWN_LEADER_EPOCH", "not-leader", true]],
  [76, ["UNSUPPORTED_COMPRESSION_TYPE", "unsupported", false]],
  [78, ["OFFSET_NOT_AVAILABLE", "not-leader", true]],
  [79, ["MEMBER_ID_REQUIRED", "group-protocol", false]],
  [81, ["GROUP_MAX_SIZE_REACHED", "group-protocol", false]],
  [82, ["FENCED_INSTANCE_ID", "fenced", false]],
  [87, ["INVALID_RECORD", "refused", false]],
  [88, ["UNSTABLE_OFFSET_COMMIT", "coordinator-unavailable", true]],
  [89, ["THROTTLING_QUOTA_EXCEEDED", "refused", true]],
  [100, ["UNKNOWN_TOPIC_ID", "topic-not-found", true]],
  [103, ["INCONSISTENT_TOPIC_ID", "topic-not-found", true]],
]);
