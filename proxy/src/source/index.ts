export { type BirthStore, ZooKeeperBirth } from "./birth-store.ts";
export { Fence, type FenceReason } from "./fence.ts";
export { fetchedChannel, type FetchedMessage } from "./fetched-channel.ts";
export { type CommittedPosition, type HandoverStore, ZooKeeperHandover } from "./handover.ts";
export { KafkaSource, type KafkaSourceOptions } from "./kafka-source.ts";
export type {
  RecordSource,
  SourceEvents,
  SourcePartitionStatus,
  SourceState,
} from "./record-source.ts";
export type { OffsetReset } from "./start-position.ts";
