/** Who is measured: a bare kafkajs consumer, workers behind one proxy, and that proxy's source alone. */
import { type ProxyProcess, startProxy } from "../../test/harness/index.ts";
import type { KafkaCluster, ZooKeeperServer } from "../../test/servers/index.ts";
import { type Child, type ConsumerJob, startChild } from "./child.ts";
import type { Measure } from "./meter.ts";
import type { Mode, Options } from "./options.ts";
import { waitFor } from "./wait.ts";

export interface Servers {
  readonly kafka: KafkaCluster;
  readonly zookeeper: ZooKeeperServer;
}

/** One run of a subject on a topic, in a group of its own, with fresh processes. */
export interface Round {
  /** Processes whose handlers run. */
  readonly consumers: readonly Child[];
  /** Processes by role, for what they use. */
  readonly pids: Readonly<Record<string, readonly number[]>>;
  /** Throws when a process has ended by itself. */
  check(): void;
  /** Ends all of it in order; commits are confirmed then. */
  stop(): Promise<void>;
}

export interface Subject {
  readonly name: string;
  start(topic: string, group: string, measure: Measure, signal: AbortSignal): Promise<Round>;
}

export const bareName = "kafkajs";
export const sourceName = "source";

/** A kafkajs consumer as most programs have it. */
export function bare(servers: Servers, options: Options): Subject {
  return single(bareName, "bare-consumer.ts", servers, options);
}

/** The proxy's fetch loop alone: when records arrive in the source. It has no group and commits nothing. */
export function source(servers: Servers, options: Options): Subject {
  return single(sourceName, "source-only.ts", servers, options);
}

function single(
  name: string,
  file: "bare-consumer.ts" | "source-only.ts",
  servers: Servers,
  options: Options,
): Subject {
  return {
    name,
    async start(topic, group, measure, signal) {
      const consumer = startChild(
        file,
        jobOf(servers, options, { topic, group, measure, mode: "pull" }),
      );
      const check = () => consumer.check();
      await waitFor(`${name} ready`, signal, () => {
        check();
        return consumer.ready;
      });
      return {
        consumers: [consumer],
        pids: { consumer: [consumer.pid] },
        check,
        stop: () => consumer.stop(),
      };
    },
  };
}

/** How a proxy and its workers differ from what is usual. */
export interface Particulars {
  /** Of the proxy's configuration. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Handlers go on until the end. */
  readonly hold?: boolean;
}

export function proxied(
  servers: Servers,
  options: Options,
  mode: Mode,
  { settings = {}, hold = false }: Particulars = {},
): Subject {
  return {
    name: `proxy-${mode}`,
    async start(topic, group, measure, signal) {
      const proxy = startProxy({
        topic,
        consumerGroup: group,
        instance: `${group}-0`,
        kafka: { bootstrapServers: servers.kafka.bootstrapServers },
        zookeeper: { servers: servers.zookeeper.connectString },
        listener: { host: "127.0.0.1", port: 0 },
        admin: { host: "127.0.0.1", port: 0 },
        ...settings,
      });
      await proxy.serving();
      const job = { ...jobOf(servers, options, { topic, group, measure, mode }), hold };
      const workers = Array.from({ length: options.workers }, () =>
        startChild("sdk-worker.ts", job),
      );
      const check = () => {
        for (const worker of workers) worker.check();
        checkProxy(proxy);
      };
      await waitFor("workers connected", signal, () => {
        check();
        return workers.every(({ ready }) => ready);
      });
      return {
        consumers: workers,
        pids: { proxy: [proxy.pid], workers: workers.map(({ pid }) => pid) },
        check,
        async stop() {
          await Promise.all(workers.map((worker) => worker.stop()));
          const code = await proxy.stop();
          if (code !== 0) throw new Error(`the proxy ended with ${code}:\n${proxy.log}`);
        },
      };
    },
  };
}

function checkProxy(proxy: ProxyProcess): void {
  if (proxy.state === "ended") throw new Error(`the proxy ended by itself:\n${proxy.log}`);
}

function jobOf(
  { kafka, zookeeper }: Servers,
  { concurrency, partitions }: Options,
  round: Pick<ConsumerJob, "topic" | "group" | "measure" | "mode">,
): ConsumerJob {
  return {
    bootstrapServers: kafka.bootstrapServers,
    zookeeper: zookeeper.connectString,
    concurrency,
    partitions,
    ...round,
  };
}
