// The other end of java/JavaClient.java: Kafka's own producer, consumer and admin client, as functions.
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";
import { javaCommand } from "./java.ts";
import { within, type NetworkNamespace } from "./netns.ts";

/** A record to produce. Headers as a list keep their order and may repeat a name; without partition and key they are spread. */
export interface RecordToProduce {
  readonly partition?: number;
  readonly key?: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly headers?:
    | Readonly<Record<string, Buffer | string | null>>
    | readonly (readonly [string, Buffer | string | null])[];
  readonly timestamp?: number;
}

export interface ProduceOptions {
  readonly codec?: "none" | "gzip" | "snappy" | "lz4" | "zstd";
  /** All of them in one transaction, which ends so. Aborted records are in the log all the same. */
  readonly transaction?: "commit" | "abort";
}

/** A record as Kafka's own consumer sees it. */
export interface ConsumedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: [string, Buffer | null][];
}

export interface ConsumeOptions {
  /** Default `read_committed`. */
  readonly isolation?: "read_committed" | "read_uncommitted";
}

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly onRecords: ((records: RecordLine[]) => void) | undefined;
}

interface RecordLine {
  partition: number;
  offset: number;
  timestamp: number;
  key: string | null;
  value: string | null;
  headers: [string, string | null][];
}

const recordsPerCommand = 5_000;

function base64(bytes: Buffer | string | null | undefined): string | null {
  if (bytes === null || bytes === undefined) return null;
  return (typeof bytes === "string" ? Buffer.from(bytes) : bytes).toString("base64");
}

function bytes(text: string | null): Buffer | null {
  return text === null ? null : Buffer.from(text, "base64");
}

/** A Java client's properties for a SASL_SSL listener. */
export function javaSecurity(options: {
  mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
  caPem: string;
  username: string;
  password: string;
}): Record<string, string> {
  const { mechanism, caPem, username, password } = options;
  const login = mechanism === "PLAIN" ? "plain.PlainLoginModule" : "scram.ScramLoginModule";
  return {
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": mechanism,
    "sasl.jaas.config": `org.apache.kafka.common.security.${login} required username="${username}" password="${password}";`,
    "ssl.truststore.type": "PEM",
    "ssl.truststore.certificates": caPem,
  };
}

/** One Java process for as long as it is open; started by the first command (about a second), it ends with this process. */
export class JavaClient {
  readonly #connection: Readonly<Record<string, string>>;
  readonly #netns: NetworkNamespace | undefined;
  readonly #pending = new Map<number, Pending>();
  #child: Promise<ChildProcessWithoutNullStreams> | undefined;
  #lastId = 0;

  /** `security`: Kafka's properties, such as {@link javaSecurity} makes. `netns`: where it runs. */
  constructor(
    bootstrapServers: readonly string[],
    security: Readonly<Record<string, string>> = {},
    netns?: NetworkNamespace,
  ) {
    this.#netns = netns;
    this.#connection = { "bootstrap.servers": bootstrapServers.join(","), ...security };
  }

  async #start(): Promise<ChildProcessWithoutNullStreams> {
    const jvm = ["-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off"];
    const java = await javaCommand("JavaClient", [JSON.stringify(this.#connection)], jvm);
    const { command, args } = within(this.#netns, "java", java);
    const child = spawn(command, args, { stdio: "pipe", detached: true });
    const said: string[] = [];
    child.unref();
    for (const stream of [child.stdin, child.stdout, child.stderr]) {
      (stream as unknown as { unref?: () => void }).unref?.(); // the commands that wait keep the process up, see call()
    }
    child.stderr.on("data", (chunk: Buffer) => said.push(chunk.toString()));
    child.stdin.on("error", () => undefined); // "close" follows and fails what waits
    createInterface(child.stdout).on("line", (line) => this.#answer(line));
    const ended = (why: string) => {
      this.#child = undefined;
      const error = new Error(`the Java client ended (${why}) ${said.join("").trim()}`);
      for (const { reject } of this.#pending.values()) reject(error);
      this.#pending.clear();
    };
    child.once("error", (error) => ended(error.message));
    child.once("close", (code, signal) => ended(`exit ${code ?? signal}`));
    return child;
  }

  #answer(line: string): void {
    const reply = JSON.parse(line) as {
      id: number;
      result?: unknown;
      error?: string;
      records?: RecordLine[];
    };
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    if (reply.records !== undefined) return pending.onRecords?.(reply.records);
    this.#pending.delete(reply.id);
    if (reply.error === undefined) pending.resolve(reply.result);
    else pending.reject(new Error(reply.error));
  }

  /** Sends one command; see `execute` in JavaClient.java for what there is. */
  async call(
    op: string,
    args: object,
    onRecords?: (records: RecordLine[]) => void,
  ): Promise<unknown> {
    this.#child ??= this.#start();
    const child = await this.#child;
    const id = ++this.#lastId;
    const keepAlive = setInterval(() => undefined, 10_000);
    try {
      return await new Promise((resolve, reject) => {
        this.#pending.set(id, { resolve, reject, onRecords });
        child.stdin.write(`${JSON.stringify({ id, op, ...args })}\n`);
      });
    } catch (cause) {
      throw new Error(`${op}: ${(cause as Error).message}`, { cause });
    } finally {
      clearInterval(keepAlive);
    }
  }

  /** Returns where each record went, in their order. */
  async produce(
    topic: string,
    records: readonly RecordToProduce[],
    options: ProduceOptions = {},
  ): Promise<{ partition: number; offset: number }[]> {
    const lines = records.map(({ partition, key, value, headers, timestamp }) => {
      const pairs = (Array.isArray(headers) ? headers : Object.entries(headers ?? {})) as [
        string,
        Buffer | string | null,
      ][];
      return {
        partition,
        timestamp,
        key: base64(key),
        value: base64(value),
        headers: pairs.map(([name, header]) => [name, base64(header)]),
      };
    });
    // One transaction is one command; without, several keep the lines at a bearable length.
    const step = options.transaction === undefined ? recordsPerCommand : Math.max(1, lines.length);
    const places: { partition: number; offset: number }[] = [];
    for (let from = 0; from < lines.length; from += step) {
      const part = { topic, ...options, records: lines.slice(from, from + step) };
      const sent = (await this.call("produce", part)) as [number, number][];
      for (const [partition, offset] of sent) places.push({ partition, offset });
    }
    return places;
  }

  /** Everything that is in the topic now. */
  async consumeAll(topic: string, options: ConsumeOptions = {}): Promise<ConsumedRecord[]> {
    const all: ConsumedRecord[] = [];
    await this.call("consume", { topic, ...options }, (records) => {
      for (const { key, value, headers, ...place } of records) {
        all.push({
          ...place,
          key: bytes(key),
          value: bytes(value),
          headers: headers.map(([name, header]) => [name, bytes(header)]),
        });
      }
    });
    return all;
  }

  async close(): Promise<void> {
    const child = await this.#child;
    if (child === undefined || child.exitCode !== null) return;
    await new Promise((resolve) => {
      child.ref();
      child.once("close", resolve);
      child.stdin.end();
    });
  }
}
