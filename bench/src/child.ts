/** Processes of the bench: each is a file here, gets one job, reports, and ends when it is told. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Measure, MeterReport, Stamp } from "./meter.ts";

export interface ConsumerJob {
  readonly bootstrapServers: readonly string[];
  readonly zookeeper: string;
  readonly topic: string;
  readonly group: string;
  readonly measure: Measure;
  readonly mode: "pull" | "push";
  readonly concurrency: number;
  /** Handlers go on until the end. */
  readonly hold?: boolean;
}

export interface ProducerJob {
  readonly bootstrapServers: readonly string[];
  readonly topic: string;
  readonly partitions: number;
  readonly valueBytes: number;
  readonly rate: number;
  /** Records stamped 0, then records stamped with their time. */
  readonly warmup: number;
  readonly records: number;
}

export interface ProxyJob {
  /** As a configuration file would say it. */
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What a child says to the bench. */
export type Said = "ready" | "done" | MeterReport;

export interface Child {
  readonly pid: number;
  readonly ready: boolean;
  readonly done: boolean;
  /** Records seen, and all that its meter found so far. */
  readonly count: number;
  readonly values: readonly number[];
  readonly stamps: readonly Stamp[];
  /** Throws when it has ended by itself. */
  check(): void;
  /** SIGTERM; resolves when it has closed what it had and ended. */
  stop(): Promise<void>;
}

const alive = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

export function startChild(
  file: "bare-consumer.ts" | "stamped-proxy.ts" | "sdk-worker.ts" | "producer.ts",
  job: ConsumerJob | ProducerJob | ProxyJob,
): Child {
  const child = fork(join(import.meta.dirname, file), [JSON.stringify(job)], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    // kafkajs arms timers with negative times, on which Node.js 24 comments.
    execArgv: [...process.execArgv, "--disable-warning=TimeoutNegativeWarning"],
  });
  alive.add(child);
  child.once("exit", () => alive.delete(child));
  let ready = false;
  let done = false;
  let count = 0;
  const values: number[] = [];
  const stamps: Stamp[] = [];
  child.on("message", (said: Said) => {
    if (said === "ready") ready = true;
    else if (said === "done") done = true;
    else {
      count = said.count;
      for (const value of said.values) values.push(value);
      for (const stamp of said.stamps) stamps.push(stamp);
    }
  });
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  return {
    pid: child.pid ?? -1,
    values,
    stamps,
    get ready() {
      return ready;
    },
    get done() {
      return done;
    },
    get count() {
      return count;
    },
    check() {
      if (ended())
        throw new Error(`${file} ended by itself: ${child.exitCode ?? child.signalCode}`);
    },
    async stop() {
      if (ended()) return;
      const exit = once(child, "exit");
      child.kill("SIGTERM");
      await exit;
    },
  };
}
