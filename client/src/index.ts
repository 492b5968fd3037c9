/**
 * The client of kafka-proxy: any number of workers on a Kafka topic, single messages, each acknowledged.
 *
 *     const proxy = await connect({ zookeeper: "zk:2181", topic: "orders", consumerGroup: "billing" });
 *     const worker = proxy.work(async (message) => charge(message.json()), { concurrency: 50 });
 *     await worker.drain();
 */
export type { LossReason } from "./book/index.ts";
export { ClientError, type ClientErrorCode, clientErrorCodes } from "./client-error.ts";
export type { ConnectOptions, TlsOptions } from "./config.ts";
export { connect } from "./connect.ts";
export type {
  Handler,
  HandlerContext,
  MessagesOptions,
  PullOptions,
  Worker,
  WorkerStats,
  WorkOptions,
} from "./consume/index.ts";
export type { LinkState } from "./link/index.ts";
export type { Logger } from "./logger.ts";
export { Message, type MessageHeader, type NackOptions } from "./message.ts";
export type {
  ClientEvents,
  ClientState,
  EndOptions,
  ProxyClient,
  ProxyInfo,
} from "./proxy-client.ts";
