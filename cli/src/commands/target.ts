import { readFile } from "node:fs/promises";
import { KafkaConnection, type KafkaSettings, type Logger } from "@kafkaproxy/kafka";
import {
  ConfigError,
  loadConfig,
  parseConfig,
  type ProxyConfig,
  readKafkaCredentials,
  readZooKeeperCredentials,
} from "@kafkaproxy/proxy";
import { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import { stringify } from "yaml";
import { CliError, exitCodes } from "../cli-error.ts";
import { proxySettings, readResources } from "../resource/index.ts";

/** The options by which `status` and `dlq` know what is meant. */
export interface TargetOptions {
  /** A file with a KafkaProxy resource. */
  readonly filename?: string;
  /** Which one, when the file has several. */
  readonly name?: string;
  /** A proxy's configuration file. */
  readonly config?: string;
  readonly zookeeper?: string;
  readonly kafka?: string;
  readonly root?: string;
  readonly namespace?: string;
  readonly topic?: string;
  readonly group?: string;
}

async function fromResource(
  file: string,
  name: string | undefined,
  environment: NodeJS.ProcessEnv,
): Promise<ProxyConfig> {
  const resources = readResources(await readText(file), file);
  const wanted = name === undefined ? resources : resources.filter((each) => each.name === name);
  const [resource, ...others] = wanted;
  if (resource === undefined || others.length > 0) {
    const names = resources.map((each) => each.name).join(", ");
    throw new CliError(exitCodes.usage, `${file} has ${names}: choose one with --name`);
  }
  const text = stringify(proxySettings(resource, 0));
  return parseConfig({ text, format: "yaml", file }, environment);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new CliError(exitCodes.usage, `${file} can't be read: ${String(cause)}`, { cause });
  }
}

/**
 * Finds out which topic and group are meant, and where Kafka and ZooKeeper are:
 * from a resource, a proxy's configuration, or options and the KAFKAPROXY_* environment.
 * @throws CliError or ConfigError with everything that is missing or wrong.
 */
export async function resolveTarget(
  options: TargetOptions,
  environment: NodeJS.ProcessEnv,
): Promise<ProxyConfig> {
  if (options.filename !== undefined) {
    return await fromResource(options.filename, options.name, environment);
  }
  if (options.config !== undefined) return await loadConfig(options.config, environment);
  const settings = {
    namespace: options.namespace ?? environment["KAFKAPROXY_NAMESPACE"] ?? "default",
    topic: options.topic ?? environment["KAFKAPROXY_TOPIC"],
    consumerGroup: options.group ?? environment["KAFKAPROXY_CONSUMER_GROUP"],
    kafka: { bootstrapServers: options.kafka ?? environment["KAFKAPROXY_KAFKA"] },
    zookeeper: {
      servers: options.zookeeper ?? environment["KAFKAPROXY_ZOOKEEPER"],
      root: options.root ?? environment["KAFKAPROXY_ROOT"],
    },
  };
  const optionOf = {
    topic: "--topic",
    consumerGroup: "--group",
    "kafka.bootstrapServers": "--kafka",
    "zookeeper.servers": "--zookeeper",
  };
  try {
    return parseConfig({ text: stringify(settings), format: "yaml" }, environment);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const words = error.problems.map(({ key, found, allowed }) => {
      const option = optionOf[key as keyof typeof optionOf] ?? key;
      return `${option}: found ${found}; allowed: ${allowed}`;
    });
    throw new CliError(
      exitCodes.usage,
      ["what is meant is not clear; give -f FILE, --config FILE, or options:", ...words].join(
        "\n  ",
      ),
      { cause: error },
    );
  }
}

/** Kafka and ZooKeeper of a target, connected. */
export interface Servers {
  readonly connection: KafkaConnection;
  readonly settings: KafkaSettings;
  readonly session: ZooKeeperSession;
}

const connectTimeoutMs = 10_000;

/**
 * Runs `use` with connections to the target's servers and closes them.
 * @throws CliError (unavailable) when one can't be reached.
 */
export async function withServers<T>(
  config: ProxyConfig,
  logger: Logger,
  use: (servers: Servers) => Promise<T>,
): Promise<T> {
  const auth = await readZooKeeperCredentials(config.zookeeper);
  const { tls, sasl } = await readKafkaCredentials(config.kafka);
  const settings: KafkaSettings = {
    bootstrapServers: config.kafka.bootstrapServers,
    clientId: "kafkaproxy-cli",
    logger,
    ...(tls && { tls }),
    ...(sasl && { sasl }),
  };
  const session = new ZooKeeperSession({
    servers: config.zookeeper.servers,
    logger,
    ...(auth && { auth }),
  });
  const connection = new KafkaConnection(settings);
  try {
    session.start();
    await Promise.all([
      reach("Kafka", config.kafka.bootstrapServers.join(","), () =>
        connection.connect({ timeoutMs: connectTimeoutMs }),
      ),
      reach("ZooKeeper", config.zookeeper.servers, () =>
        session.connected({ timeoutMs: connectTimeoutMs }),
      ),
    ]);
    return await use({ connection, settings, session });
  } finally {
    await Promise.all([connection.close(), session.close()]);
  }
}

async function reach(what: string, where: string, connect: () => Promise<void>): Promise<void> {
  try {
    await connect();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(exitCodes.unavailable, `${what} at ${where} can't be reached: ${why}`, {
      cause,
    });
  }
}
