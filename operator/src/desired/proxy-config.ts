import { parseSettings } from "@kafkaproxy/proxy";
import { stringify } from "yaml";
import { commonSettings, type KafkaProxy, secretReferences } from "../api/index.ts";
import { hashOf } from "./facts.ts";
import { names } from "./names.ts";

export const configFolder = "/etc/kafkaproxy";
export const configFile = "proxy.yaml";
export const secretsFolder = "/etc/kafkaproxy-secrets";

const afterDrainMs = 5_000;

export interface ProxyConfigFile {
  readonly text: string;
  /** Changes with all that needs a restart: not with the count of replicas, and not with `paused`, which a running proxy follows. */
  readonly hash: string;
  /** What a proxy may take from SIGTERM to its end. */
  readonly terminationMs: number;
}

/**
 * The configuration file of all pods of a resource. A pod's name is its instance, and the number at the
 * end its ordinal. A new count of replicas comes into the group with the first pod that reads it, by its
 * higher `configGeneration`; those that run keep what they have read.
 *
 * @throws ConfigError when the proxy would refuse it.
 */
export function proxyConfigFile(resource: KafkaProxy, wanted: number): ProxyConfigFile {
  const { metadata } = resource;
  const settings = podSettings(resource);
  const scale = { replicas: Math.max(1, wanted), configGeneration: metadata.generation ?? 0 };
  const whole = { ...settings, ...scale };
  // What the proxy would take from its own machine does not matter for its checks.
  const machine = { hostname: `${metadata.name}-0`, address: "192.0.2.1" };
  const config = parseSettings(
    whole,
    {},
    `KafkaProxy ${metadata.namespace}/${metadata.name}`,
    machine,
  );
  const { paused: _, ...restarting } = settings;
  return {
    text: stringify(whole),
    hash: hashOf(restarting),
    // After the drain, without Kafka: giving up on the last commit and on leaving the group.
    terminationMs: config.drainTimeoutMs + config.kafka.sessionTimeoutMs + afterDrainMs,
  };
}

function podSettings(resource: KafkaProxy): Record<string, unknown> {
  const settings = commonSettings(resource);
  const files = new Set(secretReferences(resource.spec).map(({ file }) => file));
  /** The key with the file's path, where the resource has a Secret for it. */
  const path = (key: string, file: string): Record<string, string> =>
    files.has(file) ? { [key]: `${secretsFolder}/${file}` } : {};
  const { kafka, zookeeper, listener, admin } = settings;
  const listenerTls = {
    ...path("certFile", "listener/tls.crt"),
    ...path("keyFile", "listener/tls.key"),
  };
  const hasTls = Object.keys(listenerTls).length > 0;
  return {
    ...settings,
    kafka: {
      ...kafka,
      tls: {
        ...kafka.tls,
        ...path("caFile", "kafka/ca.crt"),
        ...path("certFile", "kafka/tls.crt"),
        ...path("keyFile", "kafka/tls.key"),
      },
      ...(kafka.sasl && { sasl: { ...kafka.sasl, ...path("passwordFile", "kafka/password") } }),
    },
    zookeeper: {
      ...zookeeper,
      ...(zookeeper.auth && {
        auth: { ...zookeeper.auth, ...path("passwordFile", "zookeeper/password") },
      }),
    },
    listener: {
      // A certificate is for names. Without one the pod's address does, which no DNS has to learn first.
      ...(hasTls ? { advertisedHost: podName(resource), tls: listenerTls } : {}),
      ...listener,
      ...path("tokenFile", "listener/tokens"),
      host: "0.0.0.0",
    },
    admin: { ...admin, ...path("tokenFile", "admin/tokens"), host: "0.0.0.0" },
  };
}

const podName = (resource: KafkaProxy): string =>
  `{instance}.${names(resource).service}.${resource.metadata.namespace}.svc`;
