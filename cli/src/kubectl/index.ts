export { type InClusterOptions, runInCluster } from "./in-cluster.ts";
