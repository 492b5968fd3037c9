// A real ZooKeeper on loopback.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { classPath } from "./jars.ts";
import { runProgram } from "./java.ts";
import { within, type NetworkNamespace } from "./netns.ts";
import { freePorts } from "./ports.ts";
import { makeRunFolder } from "./run-folder.ts";
import { ServerProcess, type ServerState } from "./server-process.ts";

export interface ZooKeeperServer {
  /** `host:port` */
  readonly connectString: string;
  readonly state: ServerState;
  /** SIGTERM, for good: the data are removed. */
  stop(): Promise<void>;
  /** SIGKILL; the data stay. */
  kill(): Promise<void>;
  /** Again, on the same port and data. */
  start(): Promise<void>;
  /** SIGSTOP: its connections stay open and nothing answers. */
  freeze(): void;
  thaw(): void;
}

/** Answers ZooKeeper's `ruok`, so it serves. */
function isServing(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, host, () => socket.end("ruok"));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on("data", (chunk) => (answer += chunk.toString()));
    socket.on("error", () => undefined); // not listening yet; close follows
    socket.on("close", () => resolve(answer === "imok"));
  });
}

/** The same where only a program inside `netns` can ask. */
async function isServingInside(
  netns: NetworkNamespace,
  host: string,
  port: number,
): Promise<boolean> {
  const ask = `exec 3<>/dev/tcp/${host}/${port} && printf ruok >&3 && timeout 1 cat <&3`;
  const { command, args } = within(netns, "bash", ["-c", ask]);
  return (await runProgram(command, args)).stdout.toString() === "imok";
}

export interface ZooKeeperOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Left alone by `stop()`. Default: one of its own, which `stop()` removes. */
  readonly dataDir?: string;
  /** What it listens on and is called by. Default `127.0.0.1`. */
  readonly host?: string;
  /** Where it runs. Default: the machine's own network. */
  readonly netns?: NetworkNamespace;
}

/** A tick is 500 ms, so sessions may be as short as 1 s; up to 60 s. */
export async function startZooKeeper(options: ZooKeeperOptions = {}): Promise<ZooKeeperServer> {
  const libs = await classPath("zookeeper");
  const folder = makeRunFolder("zookeeper");
  const dataDir = options.dataDir ?? folder.data;
  mkdirSync(dataDir, { recursive: true });
  const { host = "127.0.0.1", netns } = options;
  const port = options.port ?? (await freePorts(1))[0]!;
  const config = {
    dataDir,
    clientPort: port,
    clientPortAddress: host,
    tickTime: 500,
    minSessionTimeout: 1_000,
    maxSessionTimeout: 60_000,
    maxClientCnxns: 0,
    "admin.enableServer": false,
    "4lw.commands.whitelist": "*",
  };
  const file = join(folder.dir, "zoo.cfg");
  writeFileSync(
    file,
    Object.entries(config)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(""),
  );
  const server = new ServerProcess({
    name: "zookeeper",
    ...within(netns, "java", [
      "-Xmx256m",
      "-XX:TieredStopAtLevel=1",
      "-XX:+UseSerialGC",
      "-Dorg.slf4j.simpleLogger.showDateTime=true",
      // No fsync: the data have to survive the process, not the machine.
      "-Dzookeeper.forceSync=no",
      "-cp",
      libs,
      "org.apache.zookeeper.server.quorum.QuorumPeerMain",
      file,
    ]),
    folder,
    ready: () => (netns === undefined ? isServing(host, port) : isServingInside(netns, host, port)),
  });
  await server.start();
  return {
    connectString: `${host}:${port}`,
    get state() {
      return server.state;
    },
    stop: async () => {
      await server.stop();
      rmSync(folder.data, { recursive: true, force: true });
    },
    kill: () => server.kill(),
    start: () => server.start(),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
  };
}
