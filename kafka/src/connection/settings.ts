import { KafkaError } from "../errors.ts";

/** What this package logs to: pino's shape. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface TlsSettings {
  /** PEM. Default: the authorities that Node.js trusts. */
  readonly ca?: string;
  /** PEM, with `key`: for brokers that ask for a client certificate. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that the broker's certificate must have. Default: the host that is connected to. */
  readonly serverName?: string;
  /** Default true. */
  readonly rejectUnauthorized?: boolean;
}

export interface SaslSettings {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

export interface KafkaSettings {
  /** `host:port`, IPv6 as `[::1]:9092`. At least one. */
  readonly bootstrapServers: readonly string[];
  /** Shown in the broker's logs and quotas. Default "kafkaproxy". */
  readonly clientId?: string;
  readonly tls?: TlsSettings | undefined;
  readonly sasl?: SaslSettings | undefined;
  /** TCP, TLS and SASL together. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /**
   * How long an answer may take before the connection is given up as dead. Default 4,000: below half
   * of the default session time-out, so that a frozen broker does not cost the membership.
   */
  readonly requestTimeoutMs?: number;
  readonly logger?: Logger;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `KafkaSettings` with every default filled in and every value checked, once. */
export interface ResolvedSettings {
  readonly bootstrap: readonly Address[];
  readonly clientId: string;
  readonly tls: TlsSettings | undefined;
  readonly sasl: SaslSettings | undefined;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly logger: Logger;
}

const nothing = (): void => undefined;

export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
};

/** Throws `bad-arguments` that names the setting. */
export function resolveSettings(settings: KafkaSettings): ResolvedSettings {
  if (settings.bootstrapServers.length === 0) {
    throw new KafkaError("bad-arguments", "bootstrapServers is empty: give at least one host:port");
  }
  return Object.freeze({
    bootstrap: settings.bootstrapServers.map(parseAddress),
    clientId: settings.clientId ?? "kafkaproxy",
    tls: settings.tls,
    sasl: settings.sasl,
    connectTimeoutMs: positive("connectTimeoutMs", settings.connectTimeoutMs ?? 5_000),
    requestTimeoutMs: positive("requestTimeoutMs", settings.requestTimeoutMs ?? 4_000),
    logger: settings.logger ?? silentLogger,
  });
}

function parseAddress(text: string): Address {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:[\]]+)):(?<port>\d{1,5})$/.exec(text.trim());
  const host = match?.groups?.["v6"] ?? match?.groups?.["host"];
  const port = Number(match?.groups?.["port"]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new KafkaError(
      "bad-arguments",
      `bootstrapServers has "${text}": an entry is host:port, with IPv6 in brackets`,
    );
  }
  return { host, port };
}

function positive(name: string, value: number): number {
  if (!Number.isFinite(value) || value <= 0) {
    throw new KafkaError("bad-arguments", `${name} is ${value}: it must be above 0`);
  }
  return value;
}
