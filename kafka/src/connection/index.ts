export { backoffMs, pause, within } from "./backoff.ts";
export { KafkaConnection } from "./connection.ts";
export type { Lane, PartitionInfo, SendOptions, Target } from "./connection.ts";
export { Decoder, Encoder, messages } from "./kafkajs.ts";
export type { JoinGroupResponse, Message } from "./kafkajs.ts";
export { silentLogger } from "./settings.ts";
export type { KafkaSettings, Logger, SaslSettings, TlsSettings } from "./settings.ts";
