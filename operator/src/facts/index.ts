/** What is so outside of the API's objects: Kafka, ZooKeeper, Secrets, and what the pods say. */
export { ConnectionPool } from "./connections.ts";
export { Observer, type ObserverOptions } from "./observer.ts";
export type { PodAddress } from "./pod-status.ts";
export type { ResourceFacts } from "./told.ts";
