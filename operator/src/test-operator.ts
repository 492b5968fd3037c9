/** Operators as processes of their own beside a real control plane, Kafka and ZooKeeper. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parse } from "yaml";
import {
  type KafkaCluster,
  startKafka,
  startZooKeeper,
  type ZooKeeperServer,
} from "../../test/servers/index.ts";
import { type ControlPlane, startControlPlane } from "../../test/servers/kubernetes/index.ts";
import { crdYaml } from "./api/index.ts";

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
  startOperator(options?: { elect?: boolean }): Promise<TestOperator>;
  /** Writes that operators made, oldest first, but for leases. */
  writes(): AuditedWrite[];
  stop(): Promise<void>;
}

export interface AuditedWrite {
  readonly verb: string;
  readonly at: number;
  readonly code: number;
  readonly resource: string;
  readonly name: string;
}

export interface TestOperator {
  readonly pid: number;
  readonly log: readonly string[];
  metrics(): Promise<Map<string, number>>;
  signal(signal: NodeJS.Signals): void;
  ended(): Promise<number | null>;
}

const entry = `
  import { runOperator } from ${JSON.stringify(new URL("index.ts", import.meta.url).href)};
  const { IMAGE: image, FOLDER: serviceAccountFolder, ELECT } = process.env;
  process.exitCode = await runOperator({
    image, serviceAccountFolder, leaderElect: ELECT === "yes", logLevel: "debug",
    admin: { host: "127.0.0.1", port: 0 }, environment: process.env,
  });
`;

export async function startWorld(): Promise<World> {
  const [cluster, kafka, zookeeper] = await Promise.all([
    startControlPlane(),
    startKafka(),
    startZooKeeper(),
  ]);
  const operators: ChildProcess[] = [];
  const kubectl = async (...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await cluster.kubectl(...args);
    if (exitCode !== 0) throw new Error(`kubectl ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  await cluster.apply(crdYaml());
  const folder = await serviceAccount(cluster, kubectl);
  return {
    cluster,
    kafka,
    zookeeper,
    kubectl,
    get: async <T>(...args: string[]) =>
      JSON.parse(await kubectl("get", ...args, "-o", "json")) as T,
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
    startOperator: async ({ elect = false } = {}) => {
      const { hostname, port } = new URL(cluster.server);
      const child = spawn(
        process.execPath,
        ["--conditions=kafkaproxy-source", "--input-type=module", "-e", entry],
        {
          env: {
            PATH: process.env["PATH"],
            // As in the chart.
            NODE_OPTIONS: "--max-semi-space-size=2",
            KUBERNETES_SERVICE_HOST: hostname,
            KUBERNETES_SERVICE_PORT: port,
            IMAGE: "localhost/kafka-proxy:dev",
            FOLDER: folder,
            ELECT: elect ? "yes" : "no",
          },
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
      operators.push(child);
      return await follow(child);
    },
    writes: () => writesIn(cluster.auditLog),
    stop: async () => {
      for (const child of operators) child.kill("SIGKILL");
      await Promise.allSettled([cluster.stop(), kafka.stop(), zookeeper.stop()]);
    },
  };
}

/** What a pod of the operator would find mounted. */
async function serviceAccount(cluster: ControlPlane, kubectl: World["kubectl"]): Promise<string> {
  await kubectl("create", "serviceaccount", "operator");
  const binding = ["--clusterrole=cluster-admin", "--serviceaccount=default:operator"];
  await kubectl("create", "clusterrolebinding", "operator", ...binding);
  const folder = mkdtempSync(join(tmpdir(), "operator-account-"));
  const config = parse(readFileSync(cluster.kubeconfig, "utf8")) as {
    clusters: { cluster: Record<string, string> }[];
  };
  const { "certificate-authority-data": data, "certificate-authority": file } =
    config.clusters[0]?.cluster ?? {};
  const ca = data === undefined ? readFileSync(file ?? "") : Buffer.from(data, "base64");
  writeFileSync(join(folder, "ca.crt"), ca);
  writeFileSync(join(folder, "namespace"), "default");
  writeFileSync(
    join(folder, "token"),
    await kubectl("create", "token", "operator", "--duration=2h"),
  );
  return folder;
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
  return {
    pid,
    log,
    metrics: async () => {
      const text = await (await fetch(`http://${host}:${port}/metrics`)).text();
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

interface AuditLine {
  readonly verb: string;
  readonly userAgent?: string;
  readonly requestReceivedTimestamp: string;
  readonly responseStatus?: { readonly code?: number };
  readonly objectRef?: { resource?: string; name?: string; subresource?: string };
}

function writesIn(auditLog: string): AuditedWrite[] {
  const lines = readFileSync(auditLog, "utf8").split("\n");
  return lines
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AuditLine)
    .filter(({ userAgent }) => userAgent === "kafka-proxy-operator")
    .filter(({ objectRef }) => objectRef?.resource !== "leases")
    .map(({ verb, objectRef = {}, requestReceivedTimestamp, responseStatus }) => ({
      verb,
      at: Date.parse(requestReceivedTimestamp),
      code: responseStatus?.code ?? 0,
      resource: [objectRef.resource, objectRef.subresource].filter(Boolean).join("/"),
      name: objectRef.name ?? "",
    }));
}
