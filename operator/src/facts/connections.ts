import { hash } from "node:crypto";
import { GroupOffsets, KafkaConnection, type KafkaSettings } from "@kafkaproxy/kafka";
import { wantsKafkaTls } from "@kafkaproxy/proxy";
import { groupPath } from "@kafkaproxy/wire";
import { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import type { KafkaProxy, KafkaProxySpec } from "../api/index.ts";
import type { SecretObjects } from "../desired/index.ts";
import { keyOf, type Logger } from "../runtime/index.ts";
import { SharedPool, type Users } from "./shared-pool.ts";

/** A resource's servers, and what they are asked. */
export interface Connections {
  /** Partitions of its topic. @throws KafkaError */
  partitions(): Promise<number>;
  /** Records that its group has not settled. @throws KafkaError */
  lag(): Promise<number>;
  /** That ZooKeeper is there, and lets us read what there is of its group. @throws ZooKeeperError */
  checkZooKeeper(): Promise<void>;
  release(): Promise<void>;
}

const connectWithinMs = 6_000;

/** One connection for each cluster and credentials, however many resources name it. */
export class ConnectionPool {
  readonly #kafka = new SharedPool<KafkaConnection>((connection) => connection.close());
  readonly #zookeeper = new SharedPool<ZooKeeperSession>((session) => session.close());
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** `secrets` has every value that the specification takes for its connections. */
  acquire(resource: KafkaProxy, secrets: SecretObjects): Connections {
    const { metadata, spec } = resource;
    const user = keyOf(resource);
    const settings = kafkaSettings(spec, secrets);
    const session = zooKeeperSettings(spec, secrets);
    const kafka = this.#kafka.acquire(
      digest(settings),
      user,
      (users) => new KafkaConnection({ ...settings, logger: about(users, this.#logger) }),
    );
    const zookeeper = this.#zookeeper.acquire(digest(session), user, (users) => {
      const made = new ZooKeeperSession({ ...session, logger: about(users, this.#logger) });
      made.start();
      return made;
    });
    const { topic, consumerGroup } = spec;
    const offsets = new GroupOffsets(kafka.value, consumerGroup, topic);
    const { root } = spec.zookeeper;
    const group = groupPath({ root, namespace: metadata.namespace, topic, consumerGroup });
    return {
      partitions: async () => (await kafka.value.partitions(topic)).length,
      lag: async () => [...(await offsets.lag()).values()].reduce((sum, { lag }) => sum + lag, 0),
      checkZooKeeper: async () => {
        await zookeeper.value.connected({ timeoutMs: connectWithinMs });
        await readNearest(zookeeper.value, group, root);
      },
      release: async () => {
        await Promise.all([kafka.release(), zookeeper.release()]);
      },
    };
  }
}

/** Names, on each line of a connection's log, the resources that use it. */
function about(users: Users, logger: Logger): Logger {
  const at =
    (level: keyof Logger) =>
    (fields: object, message: string): void =>
      logger[level]({ resources: users(), ...fields }, message);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

/**
 * Reads `path`, or what is there of the way to it from `root` on. ZooKeeper takes any digest at the
 * log-in: that it is a wrong one is seen when it is used.
 */
async function readNearest(session: ZooKeeperSession, path: string, root: string): Promise<void> {
  let at = path;
  while (at.length >= root.length && at !== "") {
    if ((await session.get(at)) !== undefined) return;
    at = at.slice(0, at.lastIndexOf("/"));
  }
}

/** Passwords are part of the key, and stay out of it. */
function digest(settings: unknown): string {
  return hash("sha256", JSON.stringify(settings), "base64");
}

type Reference = { readonly name: string; readonly key: string } | undefined;

/** A value of a Secret; "" where there is none. */
function valueOf(secrets: SecretObjects, reference: Reference): string {
  const base64 =
    reference === undefined ? undefined : secrets[reference.name]?.data?.[reference.key];
  return Buffer.from(base64 ?? "", "base64").toString("utf8");
}

/** As its proxies connect. */
export function kafkaSettings({ kafka }: KafkaProxySpec, secrets: SecretObjects): KafkaSettings {
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

function zooKeeperSettings({ zookeeper }: KafkaProxySpec, secrets: SecretObjects) {
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
