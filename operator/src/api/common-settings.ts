import { wantsKafkaTls } from "@kafkaproxy/proxy";
import type { KafkaProxy } from "./resource.ts";

/** A proxy's configuration as written, in sections. */
export interface ProxySettings {
  readonly [section: string]: unknown;
  readonly kafka: {
    readonly tls: Readonly<Record<string, unknown>>;
    readonly sasl?: Readonly<Record<string, unknown>>;
    readonly [key: string]: unknown;
  };
  readonly zookeeper: {
    readonly auth?: Readonly<Record<string, unknown>>;
    readonly [key: string]: unknown;
  };
  readonly listener: Readonly<Record<string, unknown>>;
  readonly admin: Readonly<Record<string, unknown>>;
}

/**
 * What the resource says to a proxy wherever it runs: all but what Secrets hold, the count of replicas
 * and the proxy's own name. TLS to Kafka stays on where only its Secrets say that it is wanted.
 */
export function commonSettings({ metadata, spec }: KafkaProxy): ProxySettings {
  const { topic, consumerGroup, paused, queue, delivery, pull, push, commit } = spec;
  const { caSecret: _ca, clientSecret: _client, ...tls } = spec.kafka.tls;
  const { tls: _listenerTls, tokenSecret: _tokens, ...listener } = spec.listener;
  return {
    namespace: metadata.namespace,
    topic,
    consumerGroup,
    paused,
    kafka: {
      ...spec.kafka,
      tls: { ...(wantsKafkaTls(spec.kafka.tls) ? { enabled: true } : {}), ...tls },
      ...(spec.kafka.sasl === undefined ? {} : { sasl: withoutSecret(spec.kafka.sasl) }),
    },
    zookeeper: {
      ...spec.zookeeper,
      ...(spec.zookeeper.auth === undefined ? {} : { auth: withoutSecret(spec.zookeeper.auth) }),
    },
    queue,
    delivery,
    pull,
    push,
    commit,
    deadLetter: spec.deadLetter,
    listener,
    admin: { port: spec.admin.port },
    drainTimeout: spec.drainTimeout,
    log: spec.log,
  };
}

function withoutSecret<T extends { readonly passwordSecret: unknown }>({
  passwordSecret: _secret,
  ...rest
}: T): Omit<T, "passwordSecret"> {
  return rest;
}
