/** Operators as processes of their own, bundled as in the image, beside a real control plane, Kafka and ZooKeeper. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { bundle, packageFiles } from "../../images/src/index.ts";
import {
  type AuditedWrite,
  type Owned,
  operatorWrites,
  ownedKinds,
} from "../../test/harness/operator-work.ts";
import {
  type KafkaCluster,
  startKafka,
  startZooKeeper,
  type ZooKeeperServer,
} from "../../test/servers/index.ts";
import {
  type AdmissionGate,
  type ControlPlane,
  startAdmissionGate,
  startControlPlane,
  untilServed,
} from "../../test/servers/kubernetes/index.ts";
import { crdYaml, type KafkaProxyStatus } from "./api/index.ts";

export interface World {
  readonly cluster: ControlPlane;
  readonly kafka: KafkaCluster;
  readonly zookeeper: ZooKeeperServer;
  /** kubectl that must succeed; its output. */
  kubectl(...args: string[]): Promise<string>;
  /** `kubectl get -o json`. */
  get<T>(...args: string[]): Promise<T>;
  /** A KafkaProxy as YAML, with more lines of spec. */
  resource(name: string, topic: string, ...more: string[]): string;
  startOperator(options?: { elect?: boolean; podName?: string }): Promise<TestOperator>;
  writes(): AuditedWrite[];
  /** Holds an operator in the middle of a pass. */
  gate(): Promise<AdmissionGate>;
  status(name: string): Promise<KafkaProxyStatus>;
  /** `status reason` of a condition. */
  condition(name: string, type: string): Promise<string>;
  /** What the StatefulSet asks for. */
  replicas(name: string): Promise<number>;
  /** `kind/name` of each object that a resource has. */
  ownedBy(name: string): Promise<string[]>;
  /** The objects themselves. */
  owned(name: string): Promise<Owned[]>;
  /** Reasons of the events about a resource. */
  events(name: string): Promise<string[]>;
  stop(): Promise<void>;
}

export interface TestOperator {
  readonly pid: number;
  readonly log: readonly string[];
  /** Of its admin port. */
  ask(path: string): Promise<{ readonly status: number; readonly text: string }>;
  metrics(): Promise<Map<string, number>>;
  signal(signal: NodeJS.Signals): void;
  ended(): Promise<number | null>;
}

const account = "operator";
const instanceLabel = (name: string): string => `app.kubernetes.io/instance=${name}`;

/** Waits for what is to come; the API server may be away meanwhile. */
export async function until(
  what: string,
  holds: () => Promise<boolean>,
  withinMs = 90_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    let failure: unknown;
    try {
      if (await holds()) return;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > deadline) throw new Error(`never: ${what}`, { cause: failure });
    await sleep(250);
  }
}

/** Ends an operator in order. */
export async function stop(operator: TestOperator): Promise<void> {
  operator.signal("SIGTERM");
  assert.equal(await operator.ended(), 0, operator.log.slice(-5).join("\n"));
}

export async function startWorld(): Promise<World> {
  const [cluster, kafka, zookeeper] = await Promise.all([
    startControlPlane(),
    startKafka({ security: true }),
    startZooKeeper(),
  ]);
  const operators: ChildProcess[] = [];
  const kubectl = async (...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await cluster.kubectl(...args);
    if (exitCode !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  await cluster.apply(crdYaml());
  await untilServed(cluster, "kafkaproxies.kafkaproxy.dev");
  const folder = mkdtempSync(join(tmpdir(), "operator-"));
  await serviceAccount(cluster, kubectl, folder);
  const main = await bundled(folder);
  const get = async <T>(...args: string[]): Promise<T> =>
    JSON.parse(await kubectl("get", ...args, "-o", "json")) as T;
  const status = async (name: string): Promise<KafkaProxyStatus> =>
    (await get<{ status?: KafkaProxyStatus }>("kpx", name)).status ?? {};
  return {
    cluster,
    kafka,
    zookeeper,
    kubectl,
    get,
    status,
    condition: async (name, type) => {
      const found = (await status(name)).conditions?.find((one) => one.type === type);
      return `${found?.status} ${found?.reason}`;
    },
    replicas: async (name) =>
      (await get<{ spec: { replicas: number } }>("sts", name)).spec.replicas,
    owned: async (name) =>
      (await get<{ items: Owned[] }>(ownedKinds, "-l", instanceLabel(name))).items,
    ownedBy: async (name) => {
      const text = await kubectl("get", ownedKinds, "-l", instanceLabel(name), "-o", "name");
      return text.split("\n").filter((line) => line !== "");
    },
    events: async (name) => {
      const about = `involvedObject.kind=KafkaProxy,involvedObject.name=${name}`;
      const { items } = await get<{ items: { reason: string }[] }>(
        "events",
        "--field-selector",
        about,
      );
      return items.map(({ reason }) => reason);
    },
    resource: (name, topic, ...more) =>
      [
        "apiVersion: kafkaproxy.dev/v1alpha1",
        "kind: KafkaProxy",
        `metadata: { name: ${name}, namespace: default }`,
        "spec:",
        `  topic: ${topic}`,
        `  consumerGroup: ${name}`,
        `  kafka: { bootstrapServers: ${JSON.stringify(kafka.bootstrapServers)} }`,
        `  zookeeper: { servers: ${JSON.stringify(zookeeper.connectString.split(","))} }`,
        ...more.map((line) => `  ${line}`),
        "---\n",
      ].join("\n"),
    startOperator: async ({ elect = false, podName = "operator-0" } = {}) => {
      const { hostname, port } = new URL(cluster.server);
      const child = spawn(process.execPath, ["--enable-source-maps", main], {
        env: {
          PATH: process.env["PATH"],
          // As in the chart, where the second is half of the memory limit.
          NODE_OPTIONS: "--max-semi-space-size=2 --max-old-space-size=192",
          KUBERNETES_SERVICE_HOST: hostname,
          KUBERNETES_SERVICE_PORT: port,
          POD_NAME: podName,
          IMAGE: "localhost/kafka-proxy:dev",
          FOLDER: folder,
          ELECT: elect ? "yes" : "no",
        },
        stdio: ["ignore", "pipe", "inherit"],
      });
      operators.push(child);
      return await follow(child);
    },
    writes: () => operatorWrites(cluster.auditLog),
    gate: () => startAdmissionGate(cluster, `system:serviceaccount:default:${account}`),
    stop: async () => {
      for (const child of operators) child.kill("SIGKILL");
      rmSync(folder, { recursive: true });
      await Promise.allSettled([cluster.stop(), kafka.stop(), zookeeper.stop()]);
    },
  };
}

/** What a pod of the operator would find mounted. */
async function serviceAccount(
  cluster: ControlPlane,
  kubectl: World["kubectl"],
  folder: string,
): Promise<void> {
  await kubectl("create", "serviceaccount", account);
  const binding = ["--clusterrole=cluster-admin", `--serviceaccount=default:${account}`];
  await kubectl("create", "clusterrolebinding", account, ...binding);
  const config = parse(readFileSync(cluster.kubeconfig, "utf8")) as {
    clusters: { cluster: Record<string, string> }[];
  };
  const { "certificate-authority-data": data, "certificate-authority": file } =
    config.clusters[0]?.cluster ?? {};
  const ca = data === undefined ? readFileSync(file ?? "") : Buffer.from(data, "base64");
  writeFileSync(join(folder, "ca.crt"), ca);
  writeFileSync(join(folder, "namespace"), "default");
  writeFileSync(join(folder, "token"), await kubectl("create", "token", account, "--duration=2h"));
}

/** The program as it is in the image. */
async function bundled(folder: string): Promise<string> {
  const program = await bundle("operator/src/test-entry.ts", "operator", "operator");
  for (const entry of [...program, ...packageFiles("kafkajs", ["src"])]) {
    if (!("content" in entry)) continue;
    const file = join(folder, entry.path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, entry.content);
  }
  return join(folder, "app/dist/main.js");
}

async function follow(child: ChildProcess): Promise<TestOperator> {
  const { stdout, pid } = child;
  if (stdout === null || pid === undefined) throw new Error("the operator was not started");
  const log: string[] = [];
  const address = Promise.withResolvers<{ host: string; port: number }>();
  const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
  void exit.then((code) => address.reject(new Error(`ended with ${code}: ${log.join("\n")}`)));
  createInterface({ input: stdout }).on("line", (line) => {
    log.push(line);
    const { admin } = JSON.parse(line) as { admin?: { host: string; port: number } };
    if (admin !== undefined) address.resolve(admin);
  });
  const { host, port } = await address.promise;
  const ask: TestOperator["ask"] = async (path) => {
    const answer = await fetch(`http://${host}:${port}${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  return {
    pid,
    log,
    ask,
    metrics: async () => {
      const { text } = await ask("/metrics");
      const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
      return new Map(
        lines.map((line) => {
          const space = line.lastIndexOf(" ");
          return [line.slice(0, space), Number(line.slice(space + 1))] as const;
        }),
      );
    },
    signal: (signal) => void child.kill(signal),
    ended: () => exit,
  };
}
