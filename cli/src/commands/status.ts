import { GroupOffsets, KafkaError, logOffsets, type Logger } from "@kafkaproxy/kafka";
import type { ProxyConfig } from "@kafkaproxy/proxy";
import { parseRegistryRecord, proxiesPath, type RegistryRecord, WireError } from "@kafkaproxy/wire";
import type { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import { type Output, table } from "../output/index.ts";
import { type Servers, withServers } from "./target.ts";

interface PartitionRow {
  readonly partition: number;
  readonly committed: number | undefined;
  readonly end: number;
  readonly lag: number;
}

interface Status {
  readonly namespace: string;
  readonly topic: string;
  readonly consumerGroup: string;
  readonly proxies: readonly RegistryRecord[];
  readonly partitions: readonly PartitionRow[];
  readonly lag: number;
  readonly deadLetters: { readonly topic: string; readonly retained: number };
}

async function registered(
  session: ZooKeeperSession,
  path: string,
  output: Output,
): Promise<RegistryRecord[]> {
  const names = (await session.children(path)) ?? [];
  const nodes = await Promise.all(names.map((name) => session.get(`${path}/${name}`)));
  return nodes
    .flatMap((node, i) => {
      if (node === undefined) return [];
      try {
        return [parseRegistryRecord(node.data)];
      } catch (error) {
        if (!(error instanceof WireError)) throw error;
        output.note(`${path}/${names[i]} is passed over: ${error.message}`);
        return [];
      }
    })
    .sort((a, b) => a.instance.localeCompare(b.instance, "en", { numeric: true }));
}

/** Records in the dead-letter topic now, of all groups that use it; 0 while there is no such topic. */
async function retained({ connection }: Servers, topic: string): Promise<number> {
  try {
    const partitions = (await connection.partitions(topic)).map(({ partition }) => partition);
    const ranges = await logOffsets(connection, topic, partitions);
    return [...ranges.values()].reduce((sum, range) => sum + range.latest - range.earliest, 0);
  } catch (error) {
    if (error instanceof KafkaError && error.code === "topic-not-found") return 0;
    throw error;
  }
}

async function gather(config: ProxyConfig, servers: Servers, output: Output): Promise<Status> {
  const { namespace, topic, consumerGroup } = config;
  const target = { root: config.zookeeper.root, namespace, topic, consumerGroup };
  const offsets = new GroupOffsets(servers.connection, consumerGroup, topic);
  const [proxies, lags, deadLetters] = await Promise.all([
    registered(servers.session, proxiesPath(target), output),
    offsets.lag(),
    retained(servers, config.deadLetter.topic),
  ]);
  const partitions = [...lags]
    .map(([partition, { committed, end, lag }]) => ({ partition, committed, end, lag }))
    .sort((a, b) => a.partition - b.partition);
  return {
    namespace,
    topic,
    consumerGroup,
    proxies,
    partitions,
    lag: partitions.reduce((sum, { lag }) => sum + lag, 0),
    deadLetters: { topic: config.deadLetter.topic, retained: deadLetters },
  };
}

function asText(status: Status, output: Output): string {
  const { proxies, partitions } = status;
  return [
    `${output.paint("bold", status.topic)} for group ${output.paint("bold", status.consumerGroup)}, namespace ${status.namespace}`,
    `lag ${status.lag}, dead letters ${status.deadLetters.retained} in ${status.deadLetters.topic}`,
    "",
    proxies.length === 0
      ? output.paint("yellow", "no proxy is registered")
      : table(
          ["PROXY", "ADDRESS", "TLS", "STARTED"],
          proxies.map(({ instance, host, port, tls, started }) => [
            instance,
            `${host}:${port}`,
            tls ? "yes" : "no",
            started,
          ]),
        ),
    "",
    table(
      ["PARTITION", "COMMITTED", "END", "LAG"],
      partitions.map(({ partition, committed, end, lag }) => [
        partition,
        committed ?? "none",
        end,
        lag,
      ]),
    ),
  ].join("\n");
}

/** Prints a group's proxies, its lag by partition and its dead letters, as Kafka and ZooKeeper have them. */
export async function showStatus(
  config: ProxyConfig,
  logger: Logger,
  output: Output,
): Promise<void> {
  const status = await withServers(config, logger, (servers) => gather(config, servers, output));
  output.result(status, asText(status, output));
}
