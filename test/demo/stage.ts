import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { parseDocument } from "yaml";
import {
  type KafkaCluster,
  startKafka,
  startZooKeeper,
  type ZooKeeperServer,
} from "../servers/index.ts";
import { unlessAborted } from "./interruption.ts";

const root = join(import.meta.dirname, "../..");
const cli = join(root, "cli/src/main.ts");
const example = join(root, "examples/kafkaproxy.yaml");

/** One of the proxies that `up` runs. */
export interface StagedProxy {
  readonly instance: string;
  pid: number;
  state: string;
  address: string;
  adminAddress: string;
}

/** Servers and proxies of the demo and the playground; `close` ends all of them and removes their data. */
export interface Stage {
  readonly kafka: KafkaCluster;
  readonly zookeeper: ZooKeeperServer;
  /** The example resource, with this machine's servers in it. */
  readonly resourceFile: string;
  readonly proxies: ReadonlyMap<string, StagedProxy>;
  /** What a worker needs to connect, as the operator's ConfigMap gives it. */
  readonly workerEnvironment: NodeJS.ProcessEnv;
  /** Runs the command line with these arguments and returns what it printed. */
  kafkaproxy(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  close(): Promise<void>;
}

export interface StageOptions {
  readonly partitions: number;
  readonly say: (line: string) => void;
  /** Ends the setting up. */
  readonly interrupted: AbortSignal;
}

function waitFor(what: string, condition: () => boolean, deadlineMs: number): Promise<void> {
  const until = performance.now() + deadlineMs;
  return new Promise((resolve, reject) => {
    const timer = setInterval(() => {
      if (condition()) resolve();
      else if (performance.now() > until) reject(new Error(`${what}: not within ${deadlineMs} ms`));
      else return;
      clearInterval(timer);
    }, 50);
  });
}

function kill(pid: number): void {
  // 0 and less stand for groups of processes.
  if (pid <= 0) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}

function runUp(
  resourceFile: string,
  proxies: Map<string, StagedProxy>,
  { say, interrupted }: StageOptions,
): ChildProcess {
  const up = fork(cli, ["--json", "up", "-f", resourceFile], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    // What it leaves when it is ended by force goes with our folder.
    env: { ...process.env, TMPDIR: dirname(resourceFile) },
    // Ctrl-C on the terminal is for the demo, which ends it in order.
    detached: true,
  });
  // The proxies' own logs; kept for when something went wrong.
  const log: string[] = [];
  up.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log.push(text);
    if (log.length > 1000) log.shift();
  });
  // We end before it only when we are told twice to: then nobody waits for a drain.
  const killAll = () => {
    for (const { pid, state } of proxies.values()) if (state !== "ended") kill(pid);
    up.kill("SIGKILL");
  };
  process.once("exit", killAll);
  up.once("exit", (code) => {
    process.off("exit", killAll);
    if (code !== 0 && code !== null && !interrupted.aborted) process.stderr.write(log.join(""));
  });
  if (up.stdout === null) throw new Error("up has no standard output");
  createInterface({ input: up.stdout }).on("line", (line) => {
    const event = JSON.parse(line) as {
      event: "started" | "report" | "ended";
      instance: string;
      pid: number;
    } & Partial<StagedProxy>;
    const proxy = proxies.get(event.instance) ?? {
      instance: event.instance,
      pid: event.pid,
      state: "starting",
      address: "",
      adminAddress: "",
    };
    proxies.set(event.instance, Object.assign(proxy, event));
    if (event.event !== "report") proxy.state = event.event === "ended" ? "ended" : "starting";
    if (event.event !== "started") say(`  proxy ${event.instance}: ${proxy.state}`);
  });
  return up;
}

/** Starts Kafka and ZooKeeper, makes the topic and applies examples/kafkaproxy.yaml with `up`. */
export async function setStage(options: StageOptions): Promise<Stage> {
  const { say, interrupted } = options;
  const folder = mkdtempSync(join(tmpdir(), "kafkaproxy-demo-"));
  // At the very end, however it comes: `up` reads the resource in it.
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const closers: (() => Promise<void> | void)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    say("starting ZooKeeper and Kafka ...");
    const zookeeper = await unlessAborted(interrupted, startZooKeeper());
    closers.push(() => zookeeper.stop());
    const kafka = await unlessAborted(interrupted, startKafka());
    closers.push(() => kafka.stop());

    const document = parseDocument(readFileSync(example, "utf8"));
    document.setIn(["spec", "kafka", "bootstrapServers"], [...kafka.bootstrapServers]);
    document.setIn(["spec", "zookeeper", "servers"], zookeeper.connectString.split(","));
    const resourceFile = join(folder, "kafkaproxy.yaml");
    writeFileSync(resourceFile, document.toString());
    const topic = String(document.getIn(["spec", "topic"]));
    await kafka.createTopic(topic, { partitions: options.partitions });

    say(
      `topic ${topic} with ${options.partitions} partitions; kafkaproxy up -f kafkaproxy.yaml ...`,
    );
    const proxies = new Map<string, StagedProxy>();
    const up = runUp(resourceFile, proxies, options);
    closers.push(async () => {
      if (up.exitCode !== null || up.signalCode !== null) return;
      up.kill("SIGTERM");
      await once(up, "exit");
    });
    const replicas = Number(document.getIn(["spec", "replicas"]));
    await waitFor(
      `${replicas} proxies serving`,
      () =>
        interrupted.aborted ||
        up.exitCode !== null ||
        [...proxies.values()].filter(({ state }) => state === "serving").length === replicas,
      60_000,
    );
    interrupted.throwIfAborted();
    if (up.exitCode !== null) throw new Error(`up ended with exit code ${up.exitCode}`);
    return {
      kafka,
      zookeeper,
      resourceFile,
      proxies,
      workerEnvironment: {
        ...process.env,
        KAFKAPROXY_ZOOKEEPER: zookeeper.connectString,
        KAFKAPROXY_NAMESPACE: String(document.getIn(["metadata", "namespace"])),
        KAFKAPROXY_TOPIC: topic,
        KAFKAPROXY_CONSUMER_GROUP: String(document.getIn(["spec", "consumerGroup"])),
      },
      async kafkaproxy(...args) {
        const child = spawn(process.execPath, [...process.execArgv, cli, ...args], {
          stdio: ["ignore", "pipe", "pipe"],
        });
        let stdout = "";
        let stderr = "";
        child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
        child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
        const [code] = (await once(child, "close")) as [number | null];
        return { code: code ?? -1, stdout, stderr };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
