import type { KafkaProxy } from "../api/index.ts";
import {
  clientConfig,
  headlessService,
  networkPolicy,
  podDisruptionBudget,
  podMonitor,
  proxyConfig,
  serviceAccount,
} from "./around.ts";
import { type Facts, type Replicas, replicasOf } from "./facts.ts";
import type { KubernetesObject, ObjectReference } from "./object.ts";
import { proxyConfigFile } from "./proxy-config.ts";
import { statefulSet } from "./stateful-set.ts";

export interface Desired {
  /** To apply, in this order: what pods need comes before them. */
  readonly objects: readonly KubernetesObject[];
  /** Switched off: to delete where the resource owns one. */
  readonly absent: readonly ObjectReference[];
  readonly replicas: Replicas;
}

/**
 * The objects of a resource. Pure: the same resource and facts give the same objects.
 *
 * While a Secret can't be had there is no StatefulSet and no configuration among them: what runs is left
 * as it is, and new pods could not start.
 *
 * @throws ConfigError of @kafkaproxy/proxy when the proxy would refuse its configuration.
 */
export function desired(resource: KafkaProxy, facts: Facts): Desired {
  const { spec } = resource;
  const replicas = replicasOf(resource, facts);
  const config = proxyConfigFile(resource, replicas.wanted);
  const objects = [serviceAccount(resource), clientConfig(resource), headlessService(resource)];
  const absent: ObjectReference[] = [];
  const onlyIf = (enabled: boolean, object: KubernetesObject): void => {
    const { apiVersion, kind, metadata } = object;
    const { name, namespace } = metadata;
    if (enabled) objects.push(object);
    else absent.push({ apiVersion, kind, namespace, name });
  };
  onlyIf(spec.podDisruptionBudget.enabled, podDisruptionBudget(resource));
  onlyIf(spec.networkPolicy.enabled, networkPolicy(resource));
  if (facts.podMonitors) onlyIf(spec.podMonitor.enabled, podMonitor(resource));
  if (facts.secrets.problems.length === 0) {
    objects.push(proxyConfig(resource, config.text));
    objects.push(statefulSet(resource, facts, replicas.wanted, config));
  }
  return { objects, absent, replicas };
}
