/** From a resource and what was observed to the objects to apply and the status to write. Pure. */
export { podMonitorApi } from "./around.ts";
export { type Desired, desired } from "./desired.ts";
export {
  type Facts,
  readSecrets,
  type Replicas,
  replicasOf,
  type SecretObject,
  type SecretObjects,
  type SecretsFact,
} from "./facts.ts";
export { names, selectorLabels, selectorText } from "./names.ts";
export type { KubernetesObject, ObjectReference } from "./object.ts";
export {
  type Observed,
  type ObservedStatefulSet,
  refusedStatus,
  statusOf,
  type Unreadable,
} from "./status.ts";
