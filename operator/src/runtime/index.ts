/** What any operator needs of Kubernetes, and nothing of this one. */
export { type AccessOptions, type ClusterAccess, findAccess } from "./access.ts";
export {
  type Applied,
  Applier,
  type ApplierOptions,
  type ApplyOptions,
  type ApplyResult,
} from "./applier.ts";
export { type BackoffOptions, backoffMs, pause, unlessAborted } from "./backoff.ts";
export { EventRecorder, type EventRecorderOptions, type EventToRecord } from "./event-recorder.ts";
export {
  guarded,
  HttpKubeClient,
  type KubeClient,
  type KubeRequest,
  type StreamRequest,
  type Verb,
} from "./kube-client.ts";
export {
  isKubeError,
  KubeError,
  type KubeErrorCode,
  kubeErrorCodes,
  type KubeErrorOptions,
} from "./kube-error.ts";
export {
  controllerOf,
  keyOf,
  type KubeObject,
  type ObjectMeta,
  type OwnerReference,
  pathOf,
  type ResourceKind,
  splitKey,
} from "./kube-object.ts";
export {
  type ElectionState,
  LeaderElection,
  type LeaderElectionOptions,
} from "./leader-election.ts";
export type { Logger } from "./logger.ts";
export type { Change } from "./object-store.ts";
export {
  Reflector,
  type ReflectorOptions,
  type ReflectorState,
  type ReflectorTiming,
} from "./reflector.ts";
export { drainQueue, WorkQueue, type WorkQueueOptions } from "./work-queue.ts";
