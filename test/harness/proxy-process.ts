import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { until } from "./poll.ts";

export const cliEntry = join(import.meta.dirname, "../../cli/src/main.ts");

interface Report {
  readonly state: string;
  readonly address?: string;
  readonly adminAddress?: string;
}

/** A proxy in a process of its own, `kafkaproxy serve`: one that a test can kill and freeze. */
export interface ProxyProcess {
  readonly instance: string;
  readonly pid: number;
  readonly configFile: string;
  readonly state: string;
  /** `host:port` for workers. */
  readonly address: string;
  /** `host:port` of the admin server. */
  readonly adminAddress: string;
  /** What it logged, for a test that failed and for tests of what is said. */
  readonly log: string;
  /** /status as JSON. */
  status(): Promise<ProxyStatus>;
  /** The partitions that it serves, in ascending order. */
  owned(): Promise<number[]>;
  /** A metric's value, all its series together; 0 for one that is not there yet. */
  metric(name: string): Promise<number>;
  /** Resolves when it serves. */
  serving(): Promise<void>;
  /** SIGTERM; resolves to the exit code when it has drained and ended. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  /** Resolves to the exit code when it ends by itself. */
  readonly ended: Promise<number | null>;
}

/** The part of /status that tests look at. */
export interface ProxyStatus {
  readonly state: string;
  readonly paused: boolean;
  readonly fenced?: string;
  readonly kafka: { readonly reachable: boolean };
  readonly zookeeper: { readonly reachable: boolean; readonly registered: boolean };
  readonly partitions: readonly {
    partition: number;
    watermark: number;
    committed: number;
    inFlight: number;
    ready: number;
  }[];
}

const alive = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

/** Starts a proxy with this configuration, as its YAML file would say it. */
export function startProxy(
  settings: Readonly<Record<string, unknown>>,
  file?: { name: string; text: string },
): ProxyProcess {
  const instance = typeof settings["instance"] === "string" ? settings["instance"] : "unnamed";
  const folder = mkdtempSync(join(tmpdir(), "kafkaproxy-test-"));
  const configFile = join(folder, file?.name ?? "proxy.yaml");
  writeFileSync(configFile, file?.text ?? stringify(settings));
  const child = fork(cliEntry, ["serve", "--config", configFile], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  alive.add(child);
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-200_000);
    });
  }
  let report: Report = { state: "starting" };
  child.on("message", (message: Report) => {
    report = { ...report, ...message };
  });
  const ended = once(child, "exit").then(([code]) => {
    alive.delete(child);
    rmSync(folder, { recursive: true, force: true });
    report = { ...report, state: "ended" };
    return code as number | null;
  });
  const adminAddress = () => report.adminAddress ?? "";
  const status = async (): Promise<ProxyStatus> => {
    const response = await fetch(`http://${adminAddress()}/status`);
    return (await response.json()) as ProxyStatus;
  };
  return {
    instance,
    pid: child.pid ?? -1,
    configFile,
    get state() {
      return report.state;
    },
    get address() {
      return report.address ?? "";
    },
    get adminAddress() {
      return adminAddress();
    },
    get log() {
      return log;
    },
    ended,
    status,
    async owned() {
      const { partitions } = await status();
      return partitions.map(({ partition }) => partition).sort((a, b) => a - b);
    },
    async metric(name) {
      const text = await (await fetch(`http://${adminAddress()}/metrics`)).text();
      const series = text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "gmu"));
      return [...series].reduce((sum, [, value]) => sum + Number(value), 0);
    },
    async serving() {
      await until(`proxy ${instance} serving`, () => {
        if (report.state === "ended") throw new Error(`the proxy ended:\n${log}`);
        return report.state === "serving";
      });
    },
    async stop() {
      child.kill("SIGTERM");
      return await ended;
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
    freeze: () => void child.kill("SIGSTOP"),
    thaw: () => void child.kill("SIGCONT"),
  };
}
