import { hash } from "node:crypto";
import { KafkaConnection, type KafkaSettings } from "@kafkaproxy/kafka";
import { wantsKafkaTls } from "@kafkaproxy/proxy";
import { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import type { KafkaProxySpec } from "../api/index.ts";
import type { SecretData } from "../desired/index.ts";
import type { Logger } from "../runtime/index.ts";
import { SharedPool } from "./shared-pool.ts";

/** What a resource's servers are asked over. */
export interface Connections {
  readonly kafka: KafkaConnection;
  readonly zookeeper: ZooKeeperSession;
  release(): Promise<void>;
}

/** One connection for each cluster and credentials, however many resources name it. */
export class ConnectionPool {
  readonly #kafka = new SharedPool<KafkaConnection>((connection) => connection.close());
  readonly #zookeeper = new SharedPool<ZooKeeperSession>((session) => session.close());
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** `secrets` has every value that the specification takes for its connections. */
  acquire(spec: KafkaProxySpec, secrets: SecretData): Connections {
    const settings = kafkaSettings(spec, secrets);
    const session = zooKeeperSettings(spec, secrets);
    const kafka = this.#kafka.acquire(
      digest(settings),
      () => new KafkaConnection({ ...settings, logger: this.#logger }),
    );
    const zookeeper = this.#zookeeper.acquire(digest(session), () => {
      const made = new ZooKeeperSession({ ...session, logger: this.#logger });
      made.start();
      return made;
    });
    return {
      kafka: kafka.value,
      zookeeper: zookeeper.value,
      release: async () => {
        await Promise.all([kafka.release(), zookeeper.release()]);
      },
    };
  }
}

/** Passwords are part of the key, and stay out of it. */
function digest(settings: unknown): string {
  return hash("sha256", JSON.stringify(settings), "base64");
}

type Reference = { readonly name: string; readonly key: string } | undefined;

/** A value of a Secret; "" where there is none. */
function valueOf(secrets: SecretData, reference: Reference): string {
  const data = reference === undefined ? undefined : secrets[reference.name];
  const base64 = reference === undefined ? undefined : data?.[reference.key];
  return Buffer.from(base64 ?? "", "base64").toString("utf8");
}

/** As its proxies connect. */
export function kafkaSettings({ kafka }: KafkaProxySpec, secrets: SecretData): KafkaSettings {
  const { caSecret, clientSecret, serverName, insecureSkipVerify } = kafka.tls;
  const client = (key: string): Reference =>
    clientSecret === undefined ? undefined : { name: clientSecret.name, key };
  return {
    bootstrapServers: kafka.bootstrapServers,
    clientId: "kafka-proxy-operator",
    ...(wantsKafkaTls(kafka.tls) && {
      tls: {
        ...(caSecret !== undefined && { ca: valueOf(secrets, caSecret) }),
        ...(clientSecret !== undefined && {
          cert: valueOf(secrets, client("tls.crt")),
          key: valueOf(secrets, client("tls.key")),
        }),
        ...(serverName !== undefined && { serverName }),
        rejectUnauthorized: !insecureSkipVerify,
      },
    }),
    ...(kafka.sasl !== undefined && {
      sasl: {
        mechanism: kafka.sasl.mechanism,
        username: kafka.sasl.username,
        password: withoutNewline(valueOf(secrets, kafka.sasl.passwordSecret)),
      },
    }),
  };
}

function zooKeeperSettings({ zookeeper }: KafkaProxySpec, secrets: SecretData) {
  const { servers, auth } = zookeeper;
  const password = withoutNewline(valueOf(secrets, auth?.passwordSecret));
  return {
    servers: servers.join(","),
    ...(auth !== undefined && {
      auth: { scheme: "digest" as const, credentials: `${auth.username}:${password}` },
    }),
  };
}

/** As the proxy reads a password's file: an editor's last newline is no part of it. */
function withoutNewline(text: string): string {
  return text.replace(/\r?\n$/u, "");
}
