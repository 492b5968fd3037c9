/**
 * The one file that reaches into kafkajs, which has no types for what is used here: one connection
 * to one broker with its SASL, the primitive encoder and decoder, and the protocol's messages.
 * kafkajs is unmaintained and pinned to exactly 2.2.4; `kafkajs.test.ts` fails when what is relied
 * on is not there or not as it was read.
 */
import { createRequire } from "node:module";
import type { Duplex } from "node:stream";
import { KafkaError } from "../errors.ts";

const require = createRequire(import.meta.url);

export const knownVersion = "2.2.4";

export interface Encoder {
  readonly buffer: Buffer;
  readonly offset: number;
  writeInt8(value: number): this;
  writeInt16(value: number): this;
  writeInt32(value: number): this;
  writeInt64(value: bigint | number | string): this;
  writeString(value: string | null): this;
  writeBytes(value: Buffer | null): this;
}

export interface Decoder {
  offset: number;
  readInt8(): number;
  readInt16(): number;
  readInt32(): number;
  readInt64(): bigint;
  readString(): string | null;
  readBytes(): Buffer | null;
}

/** What `Connection.send` takes. `parse` may throw for an error code; ours never does. */
export interface Message<Response> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<Encoder>;
  };
  readonly response: {
    decode(payload: Buffer): Promise<Response>;
    parse(decoded: Response): Promise<Response>;
  };
}

export interface InternalLogger {
  namespace(name: string): InternalLogger;
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
}

export interface RequestQueue {
  readonly pending: readonly unknown[];
  throttledUntil: number;
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  push(request: {
    readonly entry: {
      readonly apiKey: number;
      readonly apiName: string;
      readonly apiVersion: number;
      readonly correlationId: number;
      readonly resolve: (answer: unknown) => void;
      readonly reject: (error: Error) => void;
    };
    readonly expectResponse: boolean;
    readonly requestTimeout: number | null;
    readonly sendRequest: () => void;
  }): void;
  /** `payload`: an answer after its correlation id; `size` counts that in. */
  fulfillRequest(answer: { correlationId: number; size: number; payload: Buffer }): void;
  scheduleCheckPendingRequests(): void;
  checkPendingRequests(): void;
  rejectAll(error: Error): void;
}

export type ApiVersions = Record<
  number,
  { readonly minVersion: number; readonly maxVersion: number }
>;

export interface Connection {
  readonly requestQueue: RequestQueue;
  authHandlers: { onError(): void } | null;
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  authenticate(): Promise<void>;
  isConnected(): boolean;
  /** What has come over the socket, in pieces of any size. */
  processData(data: Buffer): void;
  setVersions(versions: ApiVersions): void;
  setSupportAuthenticationProtocol(supported: boolean): void;
  send<Response>(message: Message<Response>): Promise<Response>;
}

export interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly logger: InternalLogger;
  readonly ssl: object | null;
  readonly sasl: { mechanism: string; username: string; password: string } | null;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: boolean;
  readonly socketFactory: (options: {
    host: string;
    port: number;
    ssl: object | null;
    onConnect: () => void;
  }) => Duplex;
}

/** Throws `internal-changed` when the file is not there. */
function internal(path: string): unknown {
  try {
    return require(`kafkajs/${path}`);
  } catch (cause) {
    throw new KafkaError(
      "internal-changed",
      `kafkajs/${path} can't be loaded: this package needs kafkajs ${knownVersion} exactly`,
      { cause },
    );
  }
}

export const installedVersion = (internal("package.json") as { version: string }).version;

export const Connection = internal("src/network/connection") as new (
  options: ConnectionOptions,
) => Connection;
export const Encoder = internal("src/protocol/encoder") as new (sizeBytes?: number) => Encoder;
export const Decoder = internal("src/protocol/decoder") as new (buffer: Buffer) => Decoder;

/** kafkajs' own message of an API; the answer comes back decoded, its error codes untouched. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- it types what the untyped file takes
function message<Arguments, Response>(
  api: string,
  version: number,
  wireVersion = version,
): (options: Arguments) => Message<Response> {
  const folder = `src/protocol/requests/${api}/v${version}`;
  const encode = internal(`${folder}/request`) as (
    options: Arguments,
  ) => Message<Response>["request"];
  const response = internal(`${folder}/response`) as Message<Response>["response"];
  return (options) => ({
    request: { ...encode(options), apiVersion: wireVersion },
    response: {
      decode: async (payload) => await response.decode(payload),
      parse: async (decoded) => decoded,
    },
  });
}

export interface TopicPartitions<Partition> {
  readonly topic: string;
  readonly partitions: readonly Partition[];
}

export interface MetadataResponse {
  readonly brokers: readonly { nodeId: number; host: string; port: number }[];
  readonly controllerId: number;
  readonly topicMetadata: readonly {
    topicErrorCode: number;
    topic: string;
    partitionMetadata: readonly {
      partitionErrorCode: number;
      partitionId: number;
      leader: number;
      replicas: readonly number[];
      isr: readonly number[];
    }[];
  }[];
}

export interface JoinGroupResponse {
  readonly errorCode: number;
  readonly generationId: number;
  readonly groupProtocol: string | null;
  readonly leaderId: string;
  readonly memberId: string;
  readonly members: readonly {
    memberId: string;
    groupInstanceId: string | null;
    memberMetadata: Buffer;
  }[];
}

export const messages = {
  apiVersions: message<
    void,
    {
      errorCode: number;
      apiVersions: readonly { apiKey: number; minVersion: number; maxVersion: number }[];
    }
  >("apiVersions", 2),
  metadata: message<
    { topics: readonly string[]; allowAutoTopicCreation: boolean },
    MetadataResponse
  >("metadata", 6),
  findCoordinator: message<
    { coordinatorKey: string; coordinatorType: number },
    { errorCode: number; coordinator: { nodeId: number; host: string; port: number } }
  >("findCoordinator", 2),
  joinGroup: message<
    {
      groupId: string;
      sessionTimeout: number;
      rebalanceTimeout: number;
      memberId: string;
      groupInstanceId: string;
      protocolType: string;
      groupProtocols: readonly { name: string; metadata: Buffer }[];
    },
    JoinGroupResponse
  >("joinGroup", 5),
  syncGroup: message<
    {
      groupId: string;
      generationId: number;
      memberId: string;
      groupInstanceId: string;
      groupAssignment: readonly { memberId: string; memberAssignment: Buffer }[];
    },
    { errorCode: number; memberAssignment: Buffer }
  >("syncGroup", 3),
  heartbeat: message<
    { groupId: string; groupGenerationId: number; memberId: string; groupInstanceId: string },
    { errorCode: number }
  >("heartbeat", 3),
  leaveGroup: message<
    { groupId: string; members: readonly { memberId: string; groupInstanceId: string }[] },
    { errorCode: number; members: readonly { errorCode: number }[] }
  >("leaveGroup", 3),
  offsetCommit: message<
    {
      groupId: string;
      groupGenerationId: number;
      memberId: string;
      topics: readonly TopicPartitions<{ partition: number; offset: number; metadata: string }>[];
    },
    { responses: readonly TopicPartitions<{ partition: number; errorCode: number }>[] }
  >("offsetCommit", 5),
  offsetFetch: message<
    { groupId: string; topics: readonly TopicPartitions<{ partition: number }>[] },
    {
      errorCode: number;
      responses: readonly TopicPartitions<{
        partition: number;
        offset: string;
        metadata: string | null;
        errorCode: number;
      }>[];
    }
  >("offsetFetch", 4),
  listOffsets: message<
    {
      replicaId: number;
      isolationLevel: number;
      topics: readonly TopicPartitions<{ partition: number; timestamp: number }>[];
    },
    {
      responses: readonly TopicPartitions<{
        partition: number;
        errorCode: number;
        offset: string;
      }>[];
    }
  >("listOffsets", 3),
  // Version 4 has version 3's bytes and allows -1 for the broker's default replication (KIP-464).
  createTopics: message<
    {
      topics: readonly {
        topic: string;
        numPartitions: number;
        replicationFactor: number;
        configEntries: readonly { name: string; value: string }[];
      }[];
      timeout: number;
    },
    { topicErrors: readonly { topic: string; errorCode: number; errorMessage: string | null }[] }
  >("createTopics", 3, 4),
  describeConfigs: message<
    { resources: readonly { type: number; name: string; configNames: readonly string[] }[] },
    {
      resources: readonly {
        errorCode: number;
        errorMessage: string | null;
        configEntries: readonly { configName: string; configValue: string | null }[];
      }[];
    }
  >("describeConfigs", 2),
} as const;

/**
 * The API versions that we send, by API key: a broker without one of them can't serve us. The
 * youngest is static membership's, Kafka 2.3.
 */
export const neededVersions: ReadonlyMap<
  number,
  { readonly name: string; readonly version: number }
> = new Map([
  [0, { name: "Produce", version: 7 }],
  [1, { name: "Fetch", version: 10 }],
  [2, { name: "ListOffsets", version: 3 }],
  [3, { name: "Metadata", version: 6 }],
  [8, { name: "OffsetCommit", version: 5 }],
  [9, { name: "OffsetFetch", version: 4 }],
  [10, { name: "FindCoordinator", version: 2 }],
  [11, { name: "JoinGroup", version: 5 }],
  [12, { name: "Heartbeat", version: 3 }],
  [13, { name: "LeaveGroup", version: 3 }],
  [14, { name: "SyncGroup", version: 3 }],
]);
