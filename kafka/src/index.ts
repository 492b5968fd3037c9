export { KafkaConnection } from "./connection/index.ts";
export type {
  KafkaSettings,
  Logger,
  PartitionInfo,
  SaslSettings,
  TlsSettings,
} from "./connection/index.ts";
export { KafkaError, kafkaErrorCodes } from "./errors.ts";
export type { KafkaErrorCode, KafkaErrorOptions } from "./errors.ts";
export { Fetcher, readRecord } from "./fetch/index.ts";
export type { FetchedBatch, FetcherHandlers, FetcherOptions } from "./fetch/index.ts";
export { GroupMember } from "./group/index.ts";
export type {
  GroupMemberHandlers,
  GroupMemberOptions,
  MemberIdentity,
  MemberState,
  OffsetToCommit,
  RefusedOffsets,
} from "./group/index.ts";
export { GroupOffsets, logOffsets, offsetsForTimestamp } from "./offsets/index.ts";
export type { CommittedOffset, LogOffsets, PartitionLag } from "./offsets/index.ts";
export { Producer } from "./produce/index.ts";
export type { RecordToProduce } from "./produce/index.ts";
export {
  appendHeaders,
  decodeBatches,
  decodeHeaders,
  encodeBatch,
  encodeHeaders,
  noHeaders,
} from "./records/index.ts";
export type { DecodedBatches, KafkaRecord, RecordHeader } from "./records/index.ts";
