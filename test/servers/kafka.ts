// A real Kafka on loopback: one broker, or three that fail over.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { classPath } from "./jars.ts";
import { javaCommand } from "./java.ts";
import {
  JavaClient,
  type ConsumedRecord,
  type ConsumeOptions,
  type ProduceOptions,
  type RecordToProduce,
} from "./java-client.ts";
import {
  brokerProperties,
  caPem,
  certificateFolder,
  formatData,
  user,
  uuid,
  type BrokerPorts,
} from "./kafka-config.ts";
import { within, type NetworkNamespace } from "./netns.ts";
import { freePorts } from "./ports.ts";
import { type Relay, startRelay } from "./relay.ts";
import { keepLogs, makeRunFolder } from "./run-folder.ts";
import { ServerProcess, type ServerState } from "./server-process.ts";

export interface KafkaOptions {
  /** Default 1. Three are broker and controller each: replication 3, at least 2 in sync, no unclean election. */
  readonly brokers?: 1 | 3;
  /** Adds a SASL_SSL listener. Default false. */
  readonly security?: boolean;
  /** Adds a listener behind relays, for clients whose network fails. Default false. */
  readonly relayed?: boolean;
  /** More broker properties; they win over ours. */
  readonly config?: Record<string, string>;
  /** What it listens on and is called by. Default `127.0.0.1`. */
  readonly host?: string;
  /** Where it runs, and the Java client that this class works with too. Default: the machine's own network. */
  readonly netns?: NetworkNamespace;
}

export interface KafkaBroker {
  readonly nodeId: number;
  /** `host:port` of the plain listener. */
  readonly address: string;
  readonly state: ServerState;
  /** SIGKILL; its data stay. */
  kill(): Promise<void>;
  /** SIGTERM: hands its leaderships over first. */
  stop(): Promise<void>;
  /** Again, on the same ports and data; ready to serve when it resolves. */
  start(): Promise<void>;
  /** SIGSTOP: its connections stay open and nothing answers. */
  freeze(): void;
  thaw(): void;
}

export interface SecureListener {
  readonly bootstrapServers: string[];
  readonly caPem: string;
  /** The same for PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. */
  readonly username: string;
  readonly password: string;
}

/** The brokers as clients find them whose network is in a test's hands. */
export interface RelayedListener {
  readonly bootstrapServers: string[];
  /** One for each broker, in their order. */
  readonly relays: readonly Relay[];
}

export interface TopicOptions {
  /** Default 1. */
  readonly partitions?: number;
  readonly config?: Record<string, string>;
  /** Default: one on each broker. */
  readonly replication?: number;
}

export interface GroupMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
}

/** Everything but `brokers` goes through Kafka's own Java clients, so that it can judge what ours do. */
export class KafkaCluster {
  readonly bootstrapServers: string[];
  readonly secure?: SecureListener;
  readonly relayed: RelayedListener;
  readonly brokers: readonly KafkaBroker[];
  readonly #client: JavaClient;
  readonly #release: () => Promise<void>;

  constructor(
    brokers: readonly KafkaBroker[],
    secure: SecureListener | undefined,
    relays: readonly Relay[],
    client: JavaClient,
    release: () => Promise<void>,
  ) {
    this.brokers = brokers;
    this.bootstrapServers = brokers.map(({ address }) => address);
    if (secure !== undefined) this.secure = secure;
    this.relayed = { bootstrapServers: relays.map(({ address }) => address), relays };
    this.#client = client;
    this.#release = release;
  }

  /** Resolves when all brokers know of each other. */
  async ready(): Promise<void> {
    while ((await this.#client.call("nodes", {})) !== this.brokers.length) await sleep(50);
  }

  /** Resolves when every partition has its leader and all its replicas. */
  async createTopic(name: string, options: TopicOptions = {}): Promise<void> {
    const { partitions = 1, config = {}, replication = this.brokers.length } = options;
    await this.#client.call("createTopic", { topic: name, partitions, config, replication });
  }

  async alterTopic(name: string, config: Record<string, string>): Promise<void> {
    await this.#client.call("alterTopic", { topic: name, config });
  }

  /** Resolves when the new ones can be used. */
  async addPartitions(topic: string, total: number): Promise<void> {
    await this.#client.call("addPartitions", { topic, total });
  }

  /** Resolves when it is gone from the metadata. */
  async deleteTopic(name: string): Promise<void> {
    await this.#client.call("deleteTopic", { topic: name });
  }

  async deleteRecords(topic: string, partition: number, beforeOffset: number): Promise<void> {
    await this.#client.call("deleteRecords", { topic, partition, beforeOffset });
  }

  /** With acks=all; resolves to where each went. Records without partition and key are spread evenly. */
  produce(
    topic: string,
    records: readonly RecordToProduce[],
    options?: ProduceOptions,
  ): Promise<{ partition: number; offset: number }[]> {
    return this.#client.produce(topic, records, options);
  }

  /** `count` records without key, spread evenly, of `valueBytes` each, beginning with their number and a space. Fast. */
  async fill(topic: string, options: { count: number; valueBytes: number }): Promise<void> {
    await this.#client.call("fill", { topic, ...options });
  }

  /** Everything that is in the topic now, in order in each partition. */
  consumeAll(topic: string, options?: ConsumeOptions): Promise<ConsumedRecord[]> {
    return this.#client.consumeAll(topic, options);
  }

  /** By partition; a partition without a commit is not there. */
  async committed(
    group: string,
    topic: string,
  ): Promise<Map<number, { offset: number; metadata: string }>> {
    return byPartition(await this.#client.call("committed", { group, topic }));
  }

  /** The next offset of each partition. */
  async endOffsets(topic: string): Promise<Map<number, number>> {
    return byPartition(await this.#client.call("endOffsets", { topic }));
  }

  /** The first offset of each partition. */
  async startOffsets(topic: string): Promise<Map<number, number>> {
    return byPartition(await this.#client.call("startOffsets", { topic }));
  }

  /** Offsets between commit and end, over all partitions; one without a commit counts from its start. */
  async lag(group: string, topic: string): Promise<number> {
    const [ends, starts, commits] = await Promise.all([
      this.endOffsets(topic),
      this.startOffsets(topic),
      this.committed(group, topic),
    ]);
    let sum = 0;
    for (const [partition, end] of ends) {
      sum += end - (commits.get(partition)?.offset ?? starts.get(partition) ?? 0);
    }
    return sum;
  }

  async groupMembers(group: string): Promise<GroupMember[]> {
    return (await this.#client.call("members", { group })) as GroupMember[];
  }

  /** Ends all brokers and removes their data. */
  async stop(): Promise<void> {
    await this.#client.close();
    await this.#release();
  }
}

function byPartition<T>(found: unknown): Map<number, T> {
  return new Map(
    Object.entries(found as Record<string, T>).map(([p, value]) => [Number(p), value]),
  );
}

function hasStarted(log: string): boolean {
  return log.includes("Kafka Server started");
}

/** Starts Kafka 4.4.0 in KRaft mode; resolves when it can be used. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const { brokers: count = 1, security = false, relayed = false, config: more = {} } = options;
  const { host = "127.0.0.1", netns } = options;
  await classPath("kafka");
  const certificates = security ? await certificateFolder() : "";
  const free = await freePorts(count * 4);
  const relays: Relay[] = [];
  const ports: BrokerPorts[] = [];
  for (let i = 0; i < count; i++) {
    const [plain = 0, controller = 0, secure = 0, port = 0] = free.slice(i * 4);
    const numbers = { nodeId: i + 1, plain, controller, secure };
    if (relayed) {
      const relay = await startRelay(`${host}:${port}`);
      relays.push(relay);
      ports.push({ ...numbers, relayed: { port, advertised: relay.address } });
    } else {
      ports.push(numbers);
    }
  }
  const folder = makeRunFolder("kafka");
  const clusterId = uuid();
  const processes = await Promise.all(
    ports.map(async (port) => {
      const name = `broker-${port.nodeId}`;
      const dataDir = join(folder.data, name);
      await formatData(dataDir, port.nodeId, clusterId);
      const file = join(folder.dir, `${name}.properties`);
      writeFileSync(
        file,
        brokerProperties(port, ports, { dataDir, security, certificates, more, host }),
      );
      const args = await javaCommand("kafka.Kafka", [file], ["-Xmx512m"]);
      return new ServerProcess({ name, ...within(netns, "java", args), folder, ready: hasStarted });
    }),
  );
  const release = async () => {
    // Nothing of theirs is needed any more, and an orderly end would wait for a quorum that is going too.
    await Promise.all([
      ...processes.map((broker) => broker.kill()),
      ...relays.map((relay) => relay.close()),
    ]);
    rmSync(folder.data, { recursive: true, force: true });
  };
  const listener: SecureListener | undefined = security
    ? {
        bootstrapServers: ports.map(({ secure }) => `${host}:${secure}`),
        caPem: caPem(certificates),
        ...user,
      }
    : undefined;
  const brokers = processes.map((broker, i) => brokerOf(broker, ports[i]!, host));
  const addresses = brokers.map(({ address }) => address);
  const client = new JavaClient(addresses, {}, netns);
  const cluster = new KafkaCluster(brokers, listener, relays, client, release);
  try {
    await Promise.all(processes.map((broker) => broker.start()));
    await cluster.ready();
  } catch (error) {
    keepLogs();
    await cluster.stop();
    throw error;
  }
  return cluster;
}

function brokerOf(
  broker: ServerProcess,
  { nodeId, plain }: BrokerPorts,
  host: string,
): KafkaBroker {
  return {
    nodeId,
    address: `${host}:${plain}`,
    get state() {
      return broker.state;
    },
    kill: () => broker.kill(),
    stop: () => broker.stop(),
    start: () => broker.start(),
    freeze: () => broker.freeze(),
    thaw: () => broker.thaw(),
  };
}
