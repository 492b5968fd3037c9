import { connect, type ConnectOptions, type Message, type ProxyClient } from "@kafkaproxy/client";
import {
  type KafkaCluster,
  type KafkaOptions,
  startKafka,
  startZooKeeper,
  type ZooKeeperServer,
} from "../servers/index.ts";
import { until } from "./poll.ts";
import { type ProxyProcess, startProxy } from "./proxy-process.ts";
import type { Recorder } from "./recorder.ts";

/** The servers of a suite. */
export interface World {
  readonly kafka: KafkaCluster;
  readonly zookeeper: ZooKeeperServer;
  /** A topic and a group of their own for one test. */
  scene(name: string, options: SceneOptions): Promise<Scene>;
  close(): Promise<void>;
}

export interface SceneOptions {
  readonly partitions: number;
  /** Configured number of proxies. Default 2. */
  readonly replicas?: number;
  readonly topicConfig?: Record<string, string>;
  /** Over the configuration that all proxies of the scene get. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface Scene {
  readonly topic: string;
  readonly group: string;
  /** Starts proxy `ordinal`; `serving()` tells when it is up. */
  proxy(ordinal: number, settings?: Readonly<Record<string, unknown>>): ProxyProcess;
  /** `count` clients of one slot each (or `concurrency`), whose deliveries the recorder sees. */
  workers(
    count: number,
    recorder: Recorder,
    options?: {
      concurrency?: number;
      prefetch?: number;
      handle?: (message: Message, signal: AbortSignal) => unknown;
      connect?: ConnectOptions;
    },
  ): Promise<ProxyClient[]>;
  client(options?: ConnectOptions): Promise<ProxyClient>;
  lag(): Promise<number>;
  /** Drains clients, stops proxies. */
  close(): Promise<void>;
}

/** Resolves when each client has a session with `count` proxies. */
export async function connectedTo(count: number, clients: readonly ProxyClient[]): Promise<void> {
  await until(`each client connected to ${count} proxies`, () =>
    clients.every(
      ({ proxies }) => proxies.filter(({ state }) => state === "connected").length === count,
    ),
  );
}

export async function createWorld(options?: KafkaOptions): Promise<World> {
  const [zookeeper, kafka] = await Promise.all([startZooKeeper(), startKafka(options)]);
  return {
    kafka,
    zookeeper,
    async scene(name, sceneOptions) {
      await kafka.createTopic(name, {
        partitions: sceneOptions.partitions,
        ...(sceneOptions.topicConfig && { config: sceneOptions.topicConfig }),
      });
      return createScene(kafka, zookeeper, name, sceneOptions);
    },
    async close() {
      await Promise.all([kafka.stop(), zookeeper.stop()]);
    },
  };
}

function createScene(
  kafka: KafkaCluster,
  zookeeper: ZooKeeperServer,
  topic: string,
  options: SceneOptions,
): Scene {
  const group = `${topic}-workers`;
  const proxies: ProxyProcess[] = [];
  const clients: ProxyClient[] = [];
  const client = async (more: ConnectOptions = {}) => {
    const made = await connect({
      ...(more.proxies === undefined && { zookeeper: zookeeper.connectString }),
      topic,
      consumerGroup: group,
      ...more,
    });
    clients.push(made);
    return made;
  };
  return {
    topic,
    group,
    client,
    proxy(ordinal, settings = {}) {
      const made = startProxy({
        topic,
        consumerGroup: group,
        instance: `${topic}-${ordinal}`,
        ordinal,
        replicas: options.replicas ?? 2,
        kafka: { bootstrapServers: kafka.bootstrapServers },
        zookeeper: { servers: zookeeper.connectString },
        listener: { host: "127.0.0.1", port: 0 },
        admin: { host: "127.0.0.1", port: 0 },
        ...options.settings,
        ...settings,
      });
      proxies.push(made);
      return made;
    },
    async workers(count, recorder, { concurrency = 1, prefetch, handle, connect: more } = {}) {
      return await Promise.all(
        Array.from({ length: count }, async (_, i) => {
          const made = await client({ clientName: `worker-${i}`, ...more });
          made.work(recorder.handler(`worker-${i}`, handle), {
            concurrency,
            ...(prefetch !== undefined && { prefetch }),
          });
          return made;
        }),
      );
    },
    lag: () => kafka.lag(group, topic),
    async close() {
      await Promise.all(clients.map((each) => each.close()));
      await Promise.all(
        proxies.filter(({ state }) => state !== "ended").map((each) => each.kill()),
      );
    },
  };
}
