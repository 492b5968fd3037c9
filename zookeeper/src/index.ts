/** One robust ZooKeeper session: see {@link ZooKeeperSession}. */
export type { ChildrenListener, ChildrenWatch, ChildrenWatchOptions } from "./children-watch.ts";
export type { EphemeralNode } from "./ephemeral-node.ts";
export type { Logger } from "./logger.ts";
export {
  type SessionState,
  type ZooKeeperNode,
  ZooKeeperSession,
  type ZooKeeperSessionOptions,
} from "./session.ts";
export { ZooKeeperError, type ZooKeeperErrorCode, zooKeeperErrorCodes } from "./zookeeper-error.ts";
