/** What stands around the pods. */
import type { KafkaProxy } from "../api/index.ts";
import { names, selectorLabels } from "./names.ts";
import { type KubernetesObject, owned } from "./object.ts";
import { configFile } from "./proxy-config.ts";

/** The pods' account: they never talk to the API server, so it has no token. */
export function serviceAccount(resource: KafkaProxy): KubernetesObject {
  const name = names(resource).serviceAccount;
  return owned(
    resource,
    { apiVersion: "v1", kind: "ServiceAccount", name },
    { automountServiceAccountToken: false },
  );
}

export function proxyConfig(resource: KafkaProxy, text: string): KubernetesObject {
  const name = names(resource).proxyConfig;
  return owned(
    resource,
    { apiVersion: "v1", kind: "ConfigMap", name },
    { data: { [configFile]: text } },
  );
}

/** For workers, `envFrom` it: with this `connect()` needs no argument. Nothing secret is in it. */
export function clientConfig(resource: KafkaProxy): KubernetesObject {
  const { metadata, spec } = resource;
  const data = {
    KAFKAPROXY_ZOOKEEPER: spec.zookeeper.servers.join(","),
    KAFKAPROXY_ROOT: spec.zookeeper.root,
    KAFKAPROXY_NAMESPACE: metadata.namespace,
    KAFKAPROXY_TOPIC: spec.topic,
    KAFKAPROXY_CONSUMER_GROUP: spec.consumerGroup,
    ...(spec.listener.tls === undefined ? {} : { KAFKAPROXY_TLS: "true" }),
  };
  const name = names(resource).clientConfig;
  return owned(resource, { apiVersion: "v1", kind: "ConfigMap", name }, { data });
}

/** Gives each pod a name of its own. Workers find them through ZooKeeper, so that readiness does not matter here. */
export function headlessService(resource: KafkaProxy): KubernetesObject {
  const { listener, admin } = resource.spec;
  return owned(
    resource,
    { apiVersion: "v1", kind: "Service", name: names(resource).service },
    {
      spec: {
        clusterIP: "None",
        publishNotReadyAddresses: true,
        selector: selectorLabels(resource),
        ports: [
          { name: "workers", port: listener.port, targetPort: "workers", protocol: "TCP" },
          { name: "admin", port: admin.port, targetPort: "admin", protocol: "TCP" },
        ],
      },
    },
  );
}

export function podDisruptionBudget(resource: KafkaProxy): KubernetesObject {
  const { maxUnavailable } = resource.spec.podDisruptionBudget;
  return owned(
    resource,
    {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      name: names(resource).podDisruptionBudget,
    },
    {
      spec: {
        maxUnavailable,
        selector: { matchLabels: selectorLabels(resource) },
        // A proxy that can't start, or can't reach Kafka, would otherwise hold up the draining of its node for ever.
        unhealthyPodEvictionPolicy: "AlwaysAllow",
      },
    },
  );
}

/**
 * Workers from where the resource says; probes and metrics from everywhere. One proxy looks whether another one
 * listens, when it is told to stop.
 */
export function networkPolicy(resource: KafkaProxy): KubernetesObject {
  const { listener, admin } = resource.spec;
  const ofTheNamespace = [{ podSelector: {} }];
  const proxies = { podSelector: { matchLabels: selectorLabels(resource) } };
  const { workers } = resource.spec.networkPolicy;
  return owned(
    resource,
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      name: names(resource).networkPolicy,
    },
    {
      spec: {
        podSelector: { matchLabels: selectorLabels(resource) },
        policyTypes: ["Ingress"],
        ingress: [
          {
            from: workers === undefined ? ofTheNamespace : [...workers, proxies],
            ports: [{ port: listener.port, protocol: "TCP" }],
          },
          { ports: [{ port: admin.port, protocol: "TCP" }] },
        ],
      },
    },
  );
}

export const podMonitorApi = {
  apiVersion: "monitoring.coreos.com/v1",
  kind: "PodMonitor",
} as const;

export function podMonitor(resource: KafkaProxy): KubernetesObject {
  const { interval, labels } = resource.spec.podMonitor;
  return owned(
    resource,
    { ...podMonitorApi, name: names(resource).podMonitor },
    {
      spec: {
        selector: { matchLabels: selectorLabels(resource) },
        podMetricsEndpoints: [{ port: "admin", path: "/metrics", interval }],
      },
    },
    labels,
  );
}
