import { readFileSync } from "node:fs";
import { ClientError, wordsOf } from "./client-error.ts";
import { type Logger, silentLogger } from "./logger.ts";

/** How TLS connections to proxies are made. */
export interface TlsOptions {
  /** Certificate authorities in PEM; default: those of Node.js. */
  readonly ca?: string;
  /** Name to expect in the certificate; default: the proxy's host. */
  readonly serverName?: string;
  /** False accepts any certificate: for tests only. Default true. */
  readonly rejectUnauthorized?: boolean;
}

/**
 * What to connect to. Each is read from the environment where it is not given;
 * the operator's client ConfigMap provides that environment.
 */
export interface ConnectOptions {
  /** ZooKeeper servers, `host:port,host:port`. `KAFKAPROXY_ZOOKEEPER`. This or `proxies` is needed. */
  readonly zookeeper?: string;
  /** A fixed list of proxies, `host:port` each, instead of ZooKeeper. `KAFKAPROXY_PROXIES`, separated by commas. */
  readonly proxies?: readonly string[];
  /** Namespace of the proxies. `KAFKAPROXY_NAMESPACE`, default `default`. */
  readonly namespace?: string;
  /** Topic that the proxies serve. `KAFKAPROXY_TOPIC`. Needed. */
  readonly topic?: string;
  /** Consumer group of the proxies. `KAFKAPROXY_CONSUMER_GROUP`. Needed. */
  readonly consumerGroup?: string;
  /** Root of the registry in ZooKeeper. `KAFKAPROXY_ROOT`, default `/kafkaproxy`. */
  readonly root?: string;
  /** ZooKeeper digest credentials, `user:password`. `KAFKAPROXY_ZOOKEEPER_AUTH`. */
  readonly zookeeperAuth?: { readonly scheme: "digest"; readonly credentials: string };
  /** Bearer token for the proxies, or a function asked before every connection. `KAFKAPROXY_TOKEN`. */
  readonly token?: string | (() => string);
  /** File with the token, read before every connection. `KAFKAPROXY_TOKEN_FILE`. */
  readonly tokenFile?: string;
  /**
   * TLS. A proxy of the registry says itself whether it speaks TLS; with this given (`{}` will do) one that does not is refused.
   * Needed with `proxies` that speak TLS.
   * `KAFKAPROXY_TLS` (true or false), `KAFKAPROXY_TLS_CA_FILE`, `KAFKAPROXY_TLS_SERVER_NAME`.
   */
  readonly tls?: TlsOptions;
  /** `pull` (default): asks for what it has room for. `push`: proxies stream on credit. `KAFKAPROXY_MODE`. */
  readonly mode?: "pull" | "push";
  /** For people, in a proxy's /status and in dead letters. `KAFKAPROXY_CLIENT_NAME`, default `<hostname>-<pid>`. */
  readonly clientName?: string;
  /** How long connect() waits for ZooKeeper, and any connection attempt for its proxy, in ms. `KAFKAPROXY_CONNECT_TIMEOUT_MS`, default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Default: silence. */
  readonly logger?: Logger;
  /** Aborts connect(); aborted later it closes the client without waiting for handlers. */
  readonly signal?: AbortSignal;
}

/** Options and environment, checked and complete. */
export interface Config {
  readonly source:
    | { readonly kind: "zookeeper"; readonly servers: string }
    | { readonly kind: "fixed"; readonly proxies: readonly HostAndPort[] };
  readonly namespace: string;
  readonly topic: string;
  readonly consumerGroup: string;
  readonly root: string;
  readonly zookeeperAuth: ConnectOptions["zookeeperAuth"];
  /** Read before every connection; may throw. */
  readonly token: () => string;
  readonly tls: TlsOptions | undefined;
  readonly mode: "pull" | "push";
  readonly clientName: string;
  readonly connectTimeoutMs: number;
  readonly logger: Logger;
}

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Options first, then the environment, then defaults.
 * @throws ClientError `bad-config` that names every problem at once.
 */
export function readConfig(
  options: ConnectOptions,
  environment: Environment,
  defaultClientName: string,
): Config {
  const problems: string[] = [];
  const fromEnvironment = (name: string): string | undefined => {
    const value = environment[`KAFKAPROXY_${name}`];
    return value === undefined || value.trim() === "" ? undefined : value.trim();
  };
  const text = (key: keyof ConnectOptions, name: string, fallback?: string): string => {
    const given = options[key];
    if (given !== undefined && (typeof given !== "string" || given.trim() === "")) {
      problems.push(`${key}: found ${JSON.stringify(given)}, allowed is a text that is not empty`);
      return "";
    }
    const value = given ?? fromEnvironment(name) ?? fallback;
    if (value === undefined) {
      problems.push(`${key}: not given; set the option, or KAFKAPROXY_${name}`);
    }
    return value ?? "";
  };

  const config: Config = {
    source: readSource(options, fromEnvironment, problems),
    namespace: text("namespace", "NAMESPACE", "default"),
    topic: text("topic", "TOPIC"),
    consumerGroup: text("consumerGroup", "CONSUMER_GROUP"),
    root: readRoot(text("root", "ROOT", "/kafkaproxy"), problems),
    zookeeperAuth: readZooKeeperAuth(options, fromEnvironment, problems),
    token: readToken(options, fromEnvironment, problems),
    tls: readTls(options, fromEnvironment, problems),
    mode: readMode(options.mode ?? fromEnvironment("MODE") ?? "pull", problems),
    clientName: text("clientName", "CLIENT_NAME", defaultClientName),
    connectTimeoutMs: readTimeout(
      options.connectTimeoutMs ?? fromEnvironment("CONNECT_TIMEOUT_MS") ?? 10_000,
      problems,
    ),
    logger: options.logger ?? silentLogger,
  };
  if (problems.length > 0) {
    throw new ClientError(
      "bad-config",
      `The client can't be configured like this:\n- ${problems.join("\n- ")}`,
    );
  }
  return Object.freeze(config);
}

type FromEnvironment = (name: string) => string | undefined;

function readSource(
  options: ConnectOptions,
  fromEnvironment: FromEnvironment,
  problems: string[],
): Config["source"] {
  const given = options.proxies !== undefined || options.zookeeper !== undefined;
  if (options.proxies !== undefined && options.zookeeper !== undefined) {
    problems.push("zookeeper, proxies: both are given, allowed is one of them");
  }
  const proxies = given
    ? options.proxies
    : fromEnvironment("PROXIES")
        ?.split(",")
        .map((entry) => entry.trim())
        .filter((entry) => entry !== "");
  if (proxies !== undefined) {
    if (proxies.length === 0) {
      problems.push("proxies: found an empty list, allowed is one host:port or more");
    }
    return { kind: "fixed", proxies: proxies.map((entry) => readAddress(entry, problems)) };
  }
  const servers = options.zookeeper ?? fromEnvironment("ZOOKEEPER");
  if (servers === undefined || servers.trim() === "") {
    problems.push(
      "zookeeper: not given; set the option, or KAFKAPROXY_ZOOKEEPER, to host:port,host:port (or give proxies, KAFKAPROXY_PROXIES)",
    );
  } else {
    for (const entry of servers.split(",")) {
      if (!/^[^\s:/]+(:\d+)?$|^\[[0-9a-fA-F:]+\](:\d+)?$/.test(entry.trim())) {
        problems.push(`zookeeper: found ${JSON.stringify(entry)}, allowed is host:port,host:port`);
      }
    }
  }
  return { kind: "zookeeper", servers: (servers ?? "").trim() };
}

function readAddress(entry: string, problems: string[]): HostAndPort {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^\s:/]+)):(\d{1,5})$/.exec(entry);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    problems.push(`proxies: found ${JSON.stringify(entry)}, allowed is host:port or [ipv6]:port`);
  }
  return { host: match?.[1] ?? match?.[2] ?? "", port };
}

function readRoot(root: string, problems: string[]): string {
  const trimmed = root.length > 1 && root.endsWith("/") ? root.slice(0, -1) : root;
  if (root !== "" && !/^(\/[^/]+)+$/.test(trimmed)) {
    problems.push(`root: found ${JSON.stringify(root)}, allowed is a path such as /kafkaproxy`);
  }
  return trimmed;
}

function readZooKeeperAuth(
  options: ConnectOptions,
  fromEnvironment: FromEnvironment,
  problems: string[],
): ConnectOptions["zookeeperAuth"] {
  const fromVariable = fromEnvironment("ZOOKEEPER_AUTH");
  const auth =
    options.zookeeperAuth ??
    (fromVariable === undefined
      ? undefined
      : { scheme: "digest" as const, credentials: fromVariable });
  // The found value is a secret: it is not repeated.
  if (auth !== undefined && (auth.scheme !== "digest" || !/^[^:]+:./.test(auth.credentials))) {
    problems.push("zookeeperAuth: allowed is scheme digest with credentials user:password");
  }
  return auth;
}

function readToken(
  options: ConnectOptions,
  fromEnvironment: FromEnvironment,
  problems: string[],
): () => string {
  if (options.token !== undefined && options.tokenFile !== undefined) {
    problems.push("token, tokenFile: both are given, allowed is one of them");
  }
  const given = options.token !== undefined || options.tokenFile !== undefined;
  const token = given ? options.token : fromEnvironment("TOKEN");
  const file = given ? options.tokenFile : fromEnvironment("TOKEN_FILE");
  if (token !== undefined) {
    return typeof token === "string" ? () => token : token;
  }
  return file === undefined ? () => "" : () => readFileSync(file, "utf8").trim();
}

function readTls(
  options: ConnectOptions,
  fromEnvironment: FromEnvironment,
  problems: string[],
): TlsOptions | undefined {
  if (options.tls !== undefined) {
    return options.tls;
  }
  const wanted = fromEnvironment("TLS");
  const caFile = fromEnvironment("TLS_CA_FILE");
  const serverName = fromEnvironment("TLS_SERVER_NAME");
  if (wanted !== undefined && wanted !== "true" && wanted !== "false") {
    problems.push(`tls: found ${JSON.stringify(wanted)} in KAFKAPROXY_TLS, allowed is true, false`);
  }
  if (
    wanted === "false" ||
    (wanted === undefined && caFile === undefined && serverName === undefined)
  ) {
    return undefined;
  }
  let ca: string | undefined;
  if (caFile !== undefined) {
    try {
      ca = readFileSync(caFile, "utf8");
    } catch (error) {
      problems.push(`tls: KAFKAPROXY_TLS_CA_FILE can't be read: ${wordsOf(error)}`);
    }
  }
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

function readMode(found: string, problems: string[]): "pull" | "push" {
  if (found !== "pull" && found !== "push") {
    problems.push(`mode: found ${JSON.stringify(found)}, allowed is pull, push`);
    return "pull";
  }
  return found;
}

function readTimeout(found: string | number, problems: string[]): number {
  const value = Number(found);
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 31 - 1) {
    problems.push(
      `connectTimeoutMs: found ${JSON.stringify(found)}, allowed is a whole number of ms from 1 to 2^31-1`,
    );
  }
  return value;
}
