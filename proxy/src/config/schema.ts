/**
 * The one schema of a proxy's configuration: the source of its defaults, of what errors say is allowed,
 * and of docs/configuration.md. The operator takes the same schema for its resource.
 */
import { defaultLimits, defaultPort } from "@kafkaproxy/wire";
import { z } from "zod";
import { defaulted, optional, optionalSection, required, section } from "./field.ts";
import {
  bindHost,
  duration,
  filePath,
  hostPorts,
  kafkaName,
  name,
  oneOf,
  reachableHost,
  size,
  text,
  whole,
  yesNo,
  zooKeeperPath,
} from "./kinds.ts";

const kafka = section("The cluster, and this proxy's membership in the consumer group.", {
  bootstrapServers: required(hostPorts, "Brokers to begin with; the others are found by them."),
  tls: section("TLS to the brokers.", {
    enabled: optional(
      yesNo,
      "true when another key of this section is given",
      "Speak TLS to the brokers.",
    ),
    caFile: optional(filePath, "Node's own list", "Certificates of the authorities to trust, PEM."),
    certFile: optional(filePath, "", "Certificate of this client, PEM."),
    keyFile: optional(filePath, "", "Its private key, PEM."),
    serverName: optional(text, "the broker's host", "Name to expect in the brokers' certificates."),
    insecureSkipVerify: defaulted(
      yesNo,
      false,
      "Take any certificate. Whoever sits between reads all and can change it: for a test only.",
    ),
  }),
  sasl: optionalSection("SASL log-in to the brokers; without it there is none.", {
    mechanism: required(oneOf("plain", "scram-sha-256", "scram-sha-512"), "How to log in."),
    username: required(text, "Name of the user."),
    password: optional(text, "", "Its password; better in a file or in the environment.", true),
    passwordFile: optional(filePath, "", "File with the password."),
  }),
  offsetReset: defaulted(
    oneOf("earliest", "latest", "fail"),
    "earliest",
    "Where a group begins that has no commit anywhere on the topic; the position is committed at once. Partitions that are added later begin at their first record.",
  ),
  sessionTimeout: defaulted(
    duration("3s", "30m"),
    "10s",
    "A proxy that is silent for this long loses its partitions. It stops delivering by itself 2 s before.",
  ),
  heartbeatInterval: defaulted(
    duration("100ms", "1m"),
    "500ms",
    "How often the group is told that this proxy lives. It is also how long a partition stands still when it moves.",
  ),
  rebalanceTimeout: optional(
    duration("1s", "30m"),
    "sessionTimeout",
    "How long the group waits for a member to rejoin.",
  ),
  requestTimeout: optional(
    duration("100ms", "10m"),
    "4/10 of sessionTimeout",
    "A broker that does not answer for this long is connected to anew.",
  ),
  fetchWait: defaulted(
    duration("0ms", "30s"),
    "500ms",
    "How long a broker holds a fetch while there is nothing new.",
  ),
  fetchMaxBytes: defaulted(
    size("1KiB", "1GiB"),
    "16MiB",
    "Most bytes of one fetch. Each broker can have two in memory.",
  ),
  metadataRefresh: defaulted(
    duration("100ms", "1h"),
    "30s",
    "How often partitions and leaders are asked for; new partitions are noticed after it.",
  ),
});

const zookeeper = section("Where clients find the proxies, and the index of dead letters.", {
  servers: required(hostPorts, "The ensemble."),
  root: defaulted(zooKeeperPath, "/kafkaproxy", "Node under which all is kept."),
  sessionTimeout: defaulted(
    duration("1s", "10m"),
    "10s",
    "A proxy that ZooKeeper does not hear of for this long is no longer announced.",
  ),
  auth: optionalSection("Digest log-in; nodes that the proxy makes are then its own.", {
    username: required(text, "Name of the user."),
    password: optional(text, "", "Its password; better in a file or in the environment.", true),
    passwordFile: optional(filePath, "", "File with the password."),
  }),
});

const listener = section("Where workers connect.", {
  host: defaulted(
    bindHost,
    "127.0.0.1",
    "Address to listen on. On another than loopback set tls and tokenFile: without them anybody who reaches the port reads and settles messages, and the log says so. The old `.properties` file means 0.0.0.0, as it always did.",
  ),
  port: defaulted(whole(0, 65_535), defaultPort, "Port to listen on; 0 takes a free one."),
  advertisedHost: optional(
    reachableHost,
    "host; the machine's first address when host is 0.0.0.0 or ::",
    "Where workers find this proxy.",
  ),
  advertisedPort: optional(
    whole(1, 65_535),
    "the port that is listened on",
    "Port for workers, where another one is mapped to this.",
  ),
  tls: optionalSection("TLS for workers. The files are read again when they change.", {
    certFile: required(filePath, "Certificate, its intermediates after it, PEM."),
    keyFile: required(filePath, "Its private key, PEM."),
  }),
  tokenFile: optional(
    filePath,
    "",
    "File with the tokens that workers may present, one a line; `#` begins a comment. Read again when it changes.",
  ),
  maxConnections: defaulted(whole(1, 1_000_000), 10_000, "Connections at once; more are refused."),
  maxOutboundBytes: defaulted(
    size("64KiB", "64GiB"),
    "64MiB",
    "Bytes that may wait to be read by workers, over all connections together.",
  ),
  heartbeatInterval: defaulted(
    duration("100ms", "1h"),
    `${defaultLimits.heartbeatIntervalMs / 1000}s`,
    "A connection that is silent for this long is asked for a sign of life; two in a row without an answer close it.",
  ),
  maxFrameBytes: optional(
    size("64KiB", "1GiB"),
    "pull.maxBytes and 64 KiB",
    "Largest frame. A record that does not fit one goes to the dead-letter topic.",
  ),
});

/** The whole configuration as written, without defaults. `z.toJSONSchema(settingsSchema, { io: "input" })` works. */
export const settingsSchema = z.strictObject({
  namespace: defaulted(name, "default", "Keeps groups of the same name apart in ZooKeeper."),
  topic: required(kafkaName, "The topic whose messages are handed out."),
  consumerGroup: required(name, "The consumer group of all proxies of this topic."),
  instance: optional(
    kafkaName,
    "the host name",
    "Name of this proxy, its own within the group: a pod's name. A proxy that comes back under its name has its partitions again.",
  ),
  ordinal: optional(
    whole(0, 99_999),
    "the number at the end of instance, else 0",
    "Which of the replicas this is, from 0. Partition p belongs to ordinal p mod replicas.",
  ),
  replicas: defaulted(whole(1, 100_000), 1, "How many proxies there are to be."),
  configGeneration: defaulted(
    whole(0, Number.MAX_SAFE_INTEGER),
    0,
    "While a change of replicas rolls out, the highest generation among the proxies decides.",
  ),
  paused: defaulted(
    yesNo,
    false,
    "Deliver nothing, and keep membership and commits. The one key that a running proxy follows when the file changes.",
  ),
  kafka,
  zookeeper,
  queue: section(
    "What is read ahead, all partitions together. Reading stops at either limit and goes on at half of it.",
    {
      // No more than a new owner takes over as leased: see the ledger's window.
      size: defaulted(whole(1, 100_000), 20_000, "Records."),
      maxBytes: defaulted(size("64KiB", "64GiB"), "128MiB", "Their bytes."),
    },
  ),
  delivery: section("Leases and redelivery.", {
    ackTimeout: defaulted(
      duration("100ms", "1h"),
      "3s",
      "A delivery is lost when neither an ack nor a renewal comes for this long. The client renews by itself while a handler runs, so this need not cover the work.",
    ),
    maxDeliveries: defaulted(
      whole(1, 1_000),
      5,
      "After so many deliveries a record goes to the dead-letter topic.",
    ),
    maxProcessingTime: defaulted(
      duration("100ms", "24h"),
      "30m",
      "Longest that renewals can keep one delivery.",
    ),
    backoff: section("Pauses between deliveries of a record; the second one comes at once.", {
      initial: defaulted(duration("0ms", "1h"), "1s", "Pause before the third; then doubled."),
      max: defaulted(duration("0ms", "24h"), "60s", "Longest pause."),
    }),
    maxNackDelay: defaulted(
      duration("0ms", "24h"),
      "15m",
      "Longest pause that a worker can ask for; more is cut to this.",
    ),
  }),
  pull: section("Limits of one pull.", {
    maxMessages: defaulted(whole(1, 10_000), defaultLimits.maxPullMessages, "Messages."),
    maxBytes: defaulted(
      size("1KiB", "1GiB"),
      "16MiB",
      "Their bytes; one message is given whatever its size.",
    ),
    maxWait: defaulted(duration("0ms", "1h"), "60s", "Longest wait for a message."),
  }),
  push: section("Limits of push.", {
    maxCredit: defaulted(whole(1, 1_000_000), 10_000, "Most credit of one session, in messages."),
  }),
  commit: section("Commits; whichever is first.", {
    interval: defaulted(duration("10ms", "1m"), "1s", "Between two commits."),
    batchSize: defaulted(whole(1, 100_000), 1_000, "Settled records that ask for one sooner."),
  }),
  deadLetter: section("Where records go that could not be processed.", {
    topic: optional(kafkaName, "<topic>-dlq", "Topic for them; made when it is not there."),
    index: section("The index in ZooKeeper that finds them by msgId.", {
      maxEntries: defaulted(
        whole(0, 10_000_000),
        100_000,
        "Entries of the group; the oldest leave first.",
      ),
    }),
  }),
  listener,
  admin: section("HTTP for people and probes.", {
    host: defaulted(bindHost, "127.0.0.1", "Address to listen on."),
    port: defaulted(whole(0, 65_535), 10_667, "Port to listen on; 0 takes a free one."),
    tokenFile: optional(
      filePath,
      "",
      "File with the tokens that may read messages, as the listener's. On another address than loopback messages are shown with a token only; probes and metrics are open.",
    ),
  }),
  drainTimeout: defaulted(
    duration("0ms", "24h"),
    "30s",
    "How long workers have to finish when the proxy is told to stop and no other proxy can take over.",
  ),
  log: section("The log.", {
    level: defaulted(
      oneOf("trace", "debug", "info", "warn", "error", "silent"),
      "info",
      "From which level on.",
    ),
  }),
});

/** The configuration as written in a file. */
export type SettingsInput = z.input<typeof settingsSchema>;

/** The configuration once parsed: durations in ms, sizes in bytes, defaults filled in. */
export type Settings = z.output<typeof settingsSchema>;

/** Secrets that the environment overrides: variable to key. */
export const environmentSecrets = {
  KAFKAPROXY_KAFKA_SASL_PASSWORD: "kafka.sasl.password",
  KAFKAPROXY_ZOOKEEPER_PASSWORD: "zookeeper.auth.password",
} as const;

/** Where the proxy runs, which only its surroundings know: variable to meaning. It stands in the registry. */
export const environmentPlace = {
  KAFKAPROXY_POD: "Name of the pod, for people.",
  KAFKAPROXY_ZONE: "Zone of its node, for clients that prefer what is near.",
} as const;
