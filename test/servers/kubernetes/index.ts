/** A real Kubernetes for tests, from plain programs and nothing else. */
export { type Admission, type AdmissionGate, startAdmissionGate } from "./admission-gate.ts";
export { program, type Program } from "./binaries.ts";
export { type Cluster, type ClusterOptions, startCluster } from "./cluster.ts";
export {
  type ControlPlane,
  type ControlPlaneOptions,
  type KubectlResult,
  startControlPlane,
} from "./control-plane.ts";
export { untilServed } from "./definitions.ts";
