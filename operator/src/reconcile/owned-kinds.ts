import type { ResourceKind } from "../runtime/index.ts";

/** A kind of object that resources own. */
export interface OwnedKind extends ResourceKind {
  /** Its CRD may be missing. */
  readonly optional?: boolean;
}

export const statefulSetKind: OwnedKind = {
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  plural: "statefulsets",
};

export const podMonitorKind: OwnedKind = {
  apiVersion: "monitoring.coreos.com/v1",
  kind: "PodMonitor",
  plural: "podmonitors",
  optional: true,
};

export const ownedKinds: readonly OwnedKind[] = [
  statefulSetKind,
  { apiVersion: "v1", kind: "ConfigMap", plural: "configmaps" },
  { apiVersion: "v1", kind: "Service", plural: "services" },
  { apiVersion: "v1", kind: "ServiceAccount", plural: "serviceaccounts" },
  { apiVersion: "policy/v1", kind: "PodDisruptionBudget", plural: "poddisruptionbudgets" },
  { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", plural: "networkpolicies" },
  podMonitorKind,
];
