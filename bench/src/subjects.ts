/** Who is measured: a bare kafkajs consumer, and workers behind one proxy. */
import { startProxy } from "../../test/harness/index.ts";
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
  /** The process that stamps the arrival of each record, where latency is measured behind a proxy. */
  readonly arrivals?: Child;
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

/** A kafkajs consumer as most programs have it. */
export function bare(servers: Servers, options: Options): Subject {
  return {
    name: bareName,
    async start(topic, group, measure, signal) {
      const consumer = startChild(
        "bare-consumer.ts",
        jobOf(servers, options, { topic, group, measure, mode: "pull" }),
      );
      const check = () => consumer.check();
      await waitFor(`${bareName} ready`, signal, () => {
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

/** One proxy, `kafkaproxy serve`; where latency is measured the same in a process that stamps arrivals. */
export function proxied(
  servers: Servers,
  options: Options,
  mode: Mode,
  { settings: more = {}, hold = false }: Particulars = {},
): Subject {
  return {
    name: `proxy-${mode}`,
    async start(topic, group, measure, signal) {
      const settings = { ...settingsOf(servers, topic, group), ...more };
      const proxy = measure === "latency" ? await stamped(settings, signal) : await plain(settings);
      const job = { ...jobOf(servers, options, { topic, group, measure, mode }), hold };
      const workers = Array.from({ length: options.workers }, () =>
        startChild("sdk-worker.ts", job),
      );
      const check = () => {
        for (const worker of workers) worker.check();
        proxy.check();
      };
      await waitFor("workers connected", signal, () => {
        check();
        return workers.every(({ ready }) => ready);
      });
      return {
        consumers: workers,
        ...(proxy.arrivals && { arrivals: proxy.arrivals }),
        pids: { proxy: [proxy.pid], workers: workers.map(({ pid }) => pid) },
        check,
        async stop() {
          await Promise.all(workers.map((worker) => worker.stop()));
          await proxy.stop();
        },
      };
    },
  };
}

interface RunningProxy {
  readonly pid: number;
  readonly arrivals?: Child;
  check(): void;
  stop(): Promise<void>;
}

async function plain(settings: Readonly<Record<string, unknown>>): Promise<RunningProxy> {
  const proxy = startProxy(settings);
  await proxy.serving();
  return {
    pid: proxy.pid,
    check() {
      if (proxy.state === "ended") throw new Error(`the proxy ended by itself:\n${proxy.log}`);
    },
    async stop() {
      const code = await proxy.stop();
      if (code !== 0) throw new Error(`the proxy ended with ${code}:\n${proxy.log}`);
    },
  };
}

async function stamped(
  settings: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<RunningProxy> {
  const proxy = startChild("stamped-proxy.ts", { settings });
  await waitFor("the proxy serving", signal, () => {
    proxy.check();
    return proxy.ready;
  });
  return {
    pid: proxy.pid,
    arrivals: proxy,
    check: () => proxy.check(),
    stop: () => proxy.stop(),
  };
}

/** Every setting that is not about this machine is at its default. */
function settingsOf(
  { kafka, zookeeper }: Servers,
  topic: string,
  group: string,
): Record<string, unknown> {
  return {
    topic,
    consumerGroup: group,
    instance: `${group}-0`,
    kafka: { bootstrapServers: kafka.bootstrapServers },
    zookeeper: { servers: zookeeper.connectString },
    listener: { host: "127.0.0.1", port: 0 },
    admin: { host: "127.0.0.1", port: 0 },
  };
}

function jobOf(
  { kafka, zookeeper }: Servers,
  { concurrency }: Options,
  round: Pick<ConsumerJob, "topic" | "group" | "measure" | "mode">,
): ConsumerJob {
  return {
    bootstrapServers: kafka.bootstrapServers,
    zookeeper: zookeeper.connectString,
    concurrency,
    ...round,
  };
}
