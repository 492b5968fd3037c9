/** Real servers on loopback for tests, the demo and the benchmarks. The published packages never depend on this. */
export {
  type ConsumedRecord,
  type ConsumeOptions,
  JavaClient,
  javaSecurity,
  type ProduceOptions,
  type RecordToProduce,
} from "./java-client.ts";
export { kcat, type ProgramOptions, type ProgramResult, runJava } from "./java.ts";
export {
  type GroupMember,
  type KafkaBroker,
  type KafkaCluster,
  type KafkaOptions,
  type SecureListener,
  startKafka,
  type TopicOptions,
} from "./kafka.ts";
export type { NetworkNamespace } from "./netns.ts";
export { type Relay, startRelay } from "./relay.ts";
export { node20 } from "./node-20.ts";
export { freePorts } from "./ports.ts";
export type { ServerState } from "./server-process.ts";
export { startZooKeeper, type ZooKeeperOptions, type ZooKeeperServer } from "./zookeeper.ts";
