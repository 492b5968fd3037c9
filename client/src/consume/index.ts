/** The three ways to take messages. */
export type { Consumer, ConsumerHost } from "./consumer.ts";
export { MessageStream, type MessagesOptions } from "./message-stream.ts";
export { type PullOptions, SinglePull } from "./single-pull.ts";
export {
  type Handler,
  type HandlerContext,
  HandlerWorker,
  type Worker,
  type WorkerStats,
  type WorkOptions,
} from "./worker.ts";
