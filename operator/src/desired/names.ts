import type { KafkaProxy } from "../api/index.ts";

/** Names of the objects that belong to a resource. */
export const names = ({ metadata: { name } }: KafkaProxy) => ({
  /** Also its pods', with an ordinal: what `kafkaproxy up` names its proxies. */
  statefulSet: name,
  proxyConfig: `${name}-proxy`,
  clientConfig: `${name}-client`,
  service: `${name}-proxy`,
  serviceAccount: `${name}-proxy`,
  podDisruptionBudget: `${name}-proxy`,
  networkPolicy: `${name}-proxy`,
  podMonitor: `${name}-proxy`,
});

/** By these the pods of a resource are found; they never change. */
export const selectorLabels = ({ metadata }: KafkaProxy): Readonly<Record<string, string>> => ({
  "app.kubernetes.io/name": "kafka-proxy",
  "app.kubernetes.io/instance": metadata.name,
  "app.kubernetes.io/component": "proxy",
});

/** On every object. */
export const labels = (resource: KafkaProxy): Readonly<Record<string, string>> => ({
  ...selectorLabels(resource),
  "app.kubernetes.io/managed-by": "kafka-proxy-operator",
});

/** The pods' selector as text, for status and `kubectl -l`. */
export const selectorText = (resource: KafkaProxy): string =>
  Object.entries(selectorLabels(resource))
    .map(([key, value]) => `${key}=${value}`)
    .join(",");

export const configHashAnnotation = "kafkaproxy.dev/config-hash";
export const secretsHashAnnotation = "kafkaproxy.dev/secrets-hash";
