// What a broker is told: properties, its formatted data folder, its certificate.
import { randomBytes } from "node:crypto";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { homeOf, once } from "./jars.ts";
import { bridgeAddress } from "./kubernetes/addresses.ts";
import { runJava, runProgram } from "./java.ts";

/** The one user of the secure listener, for PLAIN and SCRAM alike. */
export const user = { username: "kafkaproxy", password: "kafkaproxy-secret" } as const;
const storePassword = "kafkaproxy";

export interface BrokerPorts {
  readonly nodeId: number;
  readonly plain: number;
  readonly controller: number;
  readonly secure: number;
  /** Of a listener that is advertised elsewhere. */
  readonly relayed?: { readonly port: number; readonly advertised: string };
}

function properties(values: Record<string, string | number | boolean>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}

/**
 * Small and quick: few threads, few partitions of internal topics, no wait before a first rebalance, short session
 * time-outs allowed, no retention by time, and, where a topic asks for them, retention and compaction within a second.
 */
export function brokerProperties(
  broker: BrokerPorts,
  all: readonly BrokerPorts[],
  options: {
    dataDir: string;
    security: boolean;
    certificates: string;
    more: Record<string, string>;
    host: string;
  },
): string {
  const { host } = options;
  const { relayed } = broker;
  const secure = options.security ? `,SECURE://${host}:${broker.secure}` : "";
  const plain = `PLAINTEXT://${host}:${broker.plain}${secure}`;
  const behind = relayed === undefined ? "" : `,RELAYED://${host}:${relayed.port}`;
  const before = relayed === undefined ? "" : `,RELAYED://${relayed.advertised}`;
  const replicas = all.length;
  const minInSync = replicas === 1 ? 1 : 2;
  return properties({
    "process.roles": "broker,controller",
    "node.id": broker.nodeId,
    "controller.quorum.voters": all
      .map(({ nodeId, controller }) => `${nodeId}@${host}:${controller}`)
      .join(","),
    "controller.listener.names": "CONTROLLER",
    listeners: `${plain}${behind},CONTROLLER://${host}:${broker.controller}`,
    "advertised.listeners": `${plain}${before}`,
    "listener.security.protocol.map":
      "PLAINTEXT:PLAINTEXT,RELAYED:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
    "inter.broker.listener.name": "PLAINTEXT",
    "log.dirs": options.dataDir,
    "default.replication.factor": replicas,
    "min.insync.replicas": minInSync,
    "unclean.leader.election.enable": false,
    "auto.create.topics.enable": false,
    "offsets.topic.replication.factor": replicas,
    "offsets.topic.num.partitions": 5,
    "transaction.state.log.replication.factor": replicas,
    "transaction.state.log.min.isr": minInSync,
    "transaction.state.log.num.partitions": 3,
    "share.coordinator.state.topic.replication.factor": replicas,
    "share.coordinator.state.topic.min.isr": minInSync,
    "share.coordinator.state.topic.num.partitions": 3,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,
    "group.consumer.min.session.timeout.ms": 1_000,
    "broker.heartbeat.interval.ms": 500,
    // How long the others take to see that one was killed, and how long one that was killed waits before it is let in again.
    "broker.session.timeout.ms": replicas === 1 ? 3_000 : 5_000,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 2,
    // Records may bear timestamps of any year: only a topic that asks for retention has it.
    "log.retention.ms": -1,
    "log.initial.task.delay.ms": 500,
    "log.retention.check.interval.ms": 1_000,
    "log.segment.delete.delay.ms": 1_000,
    "log.cleaner.backoff.ms": 500,
    "log.cleaner.min.cleanable.ratio": 0.01,
    "log.cleaner.dedupe.buffer.size": 4 << 20,
    ...(options.security ? secureListener(options.certificates) : {}),
    ...options.more,
  });
}

function secureListener(certificates: string): Record<string, string> {
  const modules = "org.apache.kafka.common.security";
  const scram = `${modules}.scram.ScramLoginModule required;`;
  return {
    "listener.name.secure.ssl.keystore.type": "PKCS12",
    "listener.name.secure.ssl.keystore.location": join(certificates, "broker.p12"),
    "listener.name.secure.ssl.keystore.password": storePassword,
    "listener.name.secure.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
    "listener.name.secure.plain.sasl.jaas.config": `${modules}.plain.PlainLoginModule required user_${user.username}="${user.password}";`,
    "listener.name.secure.scram-sha-256.sasl.jaas.config": scram,
    "listener.name.secure.scram-sha-512.sasl.jaas.config": scram,
  };
}

/** A key and a certificate for loopback and for a test cluster's node, its own authority, made once. Gives their folder. */
export async function certificateFolder(): Promise<string> {
  const target = join(homeOf("kafka"), "broker-certificate");
  await once(target, async (folder) => {
    const store = ["-keystore", join(folder, "broker.p12"), "-storepass", storePassword];
    const key = [
      "-alias",
      "broker",
      "-keyalg",
      "EC",
      "-groupname",
      "secp256r1",
      "-validity",
      "3650",
    ];
    const names = [
      "-dname",
      "CN=127.0.0.1",
      "-ext",
      `san=ip:127.0.0.1,ip:${bridgeAddress},dns:localhost`,
      "-ext",
      "bc=ca:true",
    ];
    await keytool(["-genkeypair", "-storetype", "PKCS12", ...key, ...names, ...store]);
    const out = ["-rfc", "-file", join(folder, "ca.pem")];
    await keytool(["-exportcert", "-alias", "broker", ...out, ...store]);
  });
  return target;
}

export function caPem(certificates: string): string {
  return readFileSync(join(certificates, "ca.pem"), "utf8");
}

async function keytool(args: string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await runProgram("keytool", args);
  if (exitCode !== 0) throw new Error(`keytool ${args[0]} failed: ${stdout.toString()}${stderr}`);
}

/** A formatted data folder with the SCRAM credentials of {@link user}, made once: formatting takes a second or more. */
async function formattedTemplate(): Promise<string> {
  const target = join(homeOf("kafka"), "formatted");
  await once(target, async (folder) => {
    const only = { nodeId: 1, plain: 9092, controller: 9093, secure: 9094 };
    const dataDir = join(folder, "data");
    const options = { dataDir, security: false, certificates: "", more: {}, host: "127.0.0.1" };
    const file = join(folder, "server.properties");
    writeFileSync(file, brokerProperties(only, [only], options));
    const scram = ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
      "--add-scram",
      `${mechanism}=[name=${user.username},password=${user.password}]`,
    ]);
    const args = ["format", "-t", uuid(), "-c", file, ...scram];
    const { exitCode, stdout, stderr } = await runJava("kafka.tools.StorageTool", args);
    if (exitCode !== 0) throw new Error(`could not format: ${stdout.toString()}${stderr}`);
  });
  return join(target, "data");
}

/** Kafka's way to write 128 random bits. */
export function uuid(): string {
  const text = randomBytes(16).toString("base64url");
  return text.startsWith("-") ? uuid() : text; // a leading dash is taken for an option
}

/** Fills `dataDir` as `kafka-storage format` would for this node of this cluster. */
export async function formatData(
  dataDir: string,
  nodeId: number,
  clusterId: string,
): Promise<void> {
  cpSync(await formattedTemplate(), dataDir, { recursive: true });
  const meta = { version: 1, "node.id": nodeId, "directory.id": uuid(), "cluster.id": clusterId };
  writeFileSync(join(dataDir, "meta.properties"), properties(meta));
}
