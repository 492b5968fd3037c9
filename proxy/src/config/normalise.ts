import { hostname, networkInterfaces } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { deadLetterTopic, maxFrameBytes, requestTimeoutMs, wantsKafkaTls } from "./derived.ts";
import type { KafkaConfig, ListenerConfig, ProxyConfig } from "./proxy-config.ts";
import type { environmentPlace, environmentSecrets, Settings } from "./schema.ts";
import { Secret, type SecretSource } from "./secret.ts";

/** What defaults take from the machine. */
export interface Machine {
  readonly hostname: string;
  /** The first address that other machines can reach; undefined when there is none. */
  readonly address: string | undefined;
}

/** The machine this runs on. An IPv4 address is taken before an IPv6 one. */
export function thisMachine(): Machine {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  const first = addresses.find(({ family }) => family === "IPv4") ?? addresses[0];
  return { hostname: hostname(), address: first?.address };
}

export interface Surroundings {
  readonly file: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly machine: Machine;
}

/** Fills in the defaults that depend on others, names units, and freezes the whole. */
export function normalise(settings: Settings, surroundings: Surroundings): ProxyConfig {
  const { delivery, pull, commit, queue, push } = settings;
  const path = (file: string): string => resolved(file, surroundings.file);
  const instance =
    settings.instance ?? surroundings.machine.hostname.replaceAll(/[^a-zA-Z0-9._-]/gu, "-");
  return deepFreeze({
    namespace: settings.namespace,
    topic: settings.topic,
    consumerGroup: settings.consumerGroup,
    instance,
    place: {
      pod: placeOf("KAFKAPROXY_POD", surroundings),
      zone: placeOf("KAFKAPROXY_ZONE", surroundings),
    },
    ordinal: settings.ordinal ?? ordinalOf(instance),
    replicas: settings.replicas,
    configGeneration: settings.configGeneration,
    paused: settings.paused,
    kafka: kafkaConfig(settings, surroundings),
    zookeeper: {
      servers: settings.zookeeper.servers.join(","),
      root: settings.zookeeper.root,
      sessionTimeoutMs: settings.zookeeper.sessionTimeout,
      auth: settings.zookeeper.auth && {
        username: settings.zookeeper.auth.username,
        password: secretSource(
          settings.zookeeper.auth,
          "KAFKAPROXY_ZOOKEEPER_PASSWORD",
          surroundings,
        ),
      },
    },
    queue,
    delivery: {
      ackTimeoutMs: delivery.ackTimeout,
      maxDeliveries: delivery.maxDeliveries,
      maxProcessingTimeMs: delivery.maxProcessingTime,
      backoff: { initialMs: delivery.backoff.initial, maxMs: delivery.backoff.max },
      maxNackDelayMs: delivery.maxNackDelay,
    },
    pull: { maxMessages: pull.maxMessages, maxBytes: pull.maxBytes, maxWaitMs: pull.maxWait },
    push,
    commit: { intervalMs: commit.interval, batchSize: commit.batchSize },
    deadLetter: {
      topic: settings.deadLetter.topic ?? deadLetterTopic(settings.topic),
      index: settings.deadLetter.index,
    },
    listener: listenerConfig(settings, instance, surroundings),
    admin: {
      host: settings.admin.host,
      port: settings.admin.port,
      tokenFile: settings.admin.tokenFile && path(settings.admin.tokenFile),
    },
    drainTimeoutMs: settings.drainTimeout,
    log: settings.log,
  });
}

function placeOf(variable: keyof typeof environmentPlace, { env }: Surroundings): string {
  return env[variable]?.trim() ?? "";
}

function kafkaConfig({ kafka }: Settings, surroundings: Surroundings): KafkaConfig {
  const { tls } = kafka;
  const path = (file: string): string => resolved(file, surroundings.file);
  return {
    bootstrapServers: kafka.bootstrapServers,
    tls: wantsKafkaTls(tls)
      ? {
          caFile: tls.caFile && path(tls.caFile),
          certFile: tls.certFile && path(tls.certFile),
          keyFile: tls.keyFile && path(tls.keyFile),
          serverName: tls.serverName,
          insecureSkipVerify: tls.insecureSkipVerify,
        }
      : undefined,
    sasl: kafka.sasl && {
      mechanism: kafka.sasl.mechanism,
      username: kafka.sasl.username,
      password: secretSource(kafka.sasl, "KAFKAPROXY_KAFKA_SASL_PASSWORD", surroundings),
    },
    offsetReset: kafka.offsetReset,
    sessionTimeoutMs: kafka.sessionTimeout,
    heartbeatIntervalMs: kafka.heartbeatInterval,
    rebalanceTimeoutMs: kafka.rebalanceTimeout ?? kafka.sessionTimeout,
    requestTimeoutMs: kafka.requestTimeout ?? requestTimeoutMs(kafka.sessionTimeout),
    fetchWaitMs: kafka.fetchWait,
    fetchMaxBytes: kafka.fetchMaxBytes,
    metadataRefreshMs: kafka.metadataRefresh,
  };
}

function listenerConfig(
  { listener, pull }: Settings,
  instance: string,
  { file, machine }: Surroundings,
): ListenerConfig {
  const everywhere = listener.host === "0.0.0.0" || /^[0:]+$/u.test(listener.host);
  const ownHost = everywhere ? (machine.address ?? machine.hostname) : listener.host;
  return {
    host: listener.host,
    port: listener.port,
    advertisedHost: listener.advertisedHost?.replaceAll("{instance}", instance) ?? ownHost,
    advertisedPort: listener.advertisedPort,
    tls: listener.tls && {
      certFile: resolved(listener.tls.certFile, file),
      keyFile: resolved(listener.tls.keyFile, file),
    },
    tokenFile: listener.tokenFile && resolved(listener.tokenFile, file),
    maxConnections: listener.maxConnections,
    maxOutboundBytes: listener.maxOutboundBytes,
    heartbeatIntervalMs: listener.heartbeatInterval,
    maxFrameBytes: listener.maxFrameBytes ?? maxFrameBytes(pull.maxBytes),
  };
}

/** The environment before the file, a password file after both; the rules have seen to it that there is one. */
function secretSource(
  login: { readonly password?: string | undefined; readonly passwordFile?: string | undefined },
  variable: keyof typeof environmentSecrets,
  { env, file }: Surroundings,
): SecretSource {
  const fromEnvironment = env[variable];
  if (fromEnvironment !== undefined && fromEnvironment !== "") {
    return { value: new Secret(fromEnvironment) };
  }
  return login.passwordFile === undefined
    ? { value: new Secret(login.password ?? "") }
    : { file: resolved(login.passwordFile, file) };
}

/** From the folder of the configuration file; an absolute path stays as it is. */
function resolved(path: string, file: string | undefined): string {
  return isAbsolute(path) || file === undefined ? path : join(dirname(file), path);
}

/** The number at the end of a name, as StatefulSets name their pods; 0 without one. */
function ordinalOf(instance: string): number {
  return Number(/(\d{1,5})$/u.exec(instance)?.[1] ?? 0);
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null && !Object.isFrozen(inner)) deepFreeze(inner);
  }
  return Object.freeze(value);
}
