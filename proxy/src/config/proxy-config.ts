import type { SecretSource } from "./secret.ts";

/** TLS to Kafka; the files are named, not read. */
export interface KafkaTlsConfig {
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly serverName: string | undefined;
  readonly insecureSkipVerify: boolean;
}

/** SASL log-in to Kafka. */
export interface KafkaSaslConfig {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: SecretSource;
}

export interface KafkaConfig {
  readonly bootstrapServers: readonly string[];
  readonly tls: KafkaTlsConfig | undefined;
  readonly sasl: KafkaSaslConfig | undefined;
  readonly offsetReset: "earliest" | "latest" | "fail";
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly fetchWaitMs: number;
  readonly fetchMaxBytes: number;
  readonly metadataRefreshMs: number;
}

export interface ZooKeeperConfig {
  /** host:port, commas between. */
  readonly servers: string;
  readonly root: string;
  readonly sessionTimeoutMs: number;
  readonly auth: { readonly username: string; readonly password: SecretSource } | undefined;
}

export interface ListenerConfig {
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
  readonly advertisedHost: string;
  /** undefined: the port that is listened on. */
  readonly advertisedPort: number | undefined;
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly tokenFile: string | undefined;
  readonly maxConnections: number;
  readonly maxOutboundBytes: number;
  readonly heartbeatIntervalMs: number;
  readonly maxFrameBytes: number;
}

export interface AdminConfig {
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
  readonly tokenFile: string | undefined;
}

/** A proxy's configuration, checked, complete and frozen. docs/configuration.md says what each key means. */
export interface ProxyConfig {
  readonly namespace: string;
  readonly topic: string;
  readonly consumerGroup: string;
  readonly instance: string;
  /** Where it runs, from the environment; "" when nobody said. */
  readonly place: { readonly pod: string; readonly zone: string };
  readonly ordinal: number;
  readonly replicas: number;
  readonly configGeneration: number;
  readonly paused: boolean;
  readonly kafka: KafkaConfig;
  readonly zookeeper: ZooKeeperConfig;
  readonly queue: { readonly size: number; readonly maxBytes: number };
  readonly delivery: {
    readonly ackTimeoutMs: number;
    readonly maxDeliveries: number;
    readonly maxProcessingTimeMs: number;
    readonly backoff: { readonly initialMs: number; readonly maxMs: number };
    readonly maxNackDelayMs: number;
  };
  readonly pull: {
    readonly maxMessages: number;
    readonly maxBytes: number;
    readonly maxWaitMs: number;
  };
  readonly push: { readonly maxCredit: number };
  readonly commit: { readonly intervalMs: number; readonly batchSize: number };
  readonly deadLetter: { readonly topic: string; readonly index: { readonly maxEntries: number } };
  readonly listener: ListenerConfig;
  readonly admin: AdminConfig;
  readonly drainTimeoutMs: number;
  readonly log: {
    readonly level: "trace" | "debug" | "info" | "warn" | "error" | "silent";
  };
}
