// A real ZooKeeper on loopback.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { classPath } from "./jars.ts";
import { freePorts } from "./ports.ts";
import { makeRunFolder } from "./run-folder.ts";
import { ServerProcess, type ServerState } from "./server-process.ts";

export interface ZooKeeperServer {
  /** `127.0.0.1:port` */
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
function isServing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.end("ruok"));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on("data", (chunk) => (answer += chunk.toString()));
    socket.on("error", () => undefined); // not listening yet; close follows
    socket.on("close", () => resolve(answer === "imok"));
  });
}

/** A tick is 500 ms, so sessions may be as short as 1 s; up to 60 s. `dataDir` of yours is left alone by `stop()`. */
export async function startZooKeeper(
  options: { port?: number; dataDir?: string } = {},
): Promise<ZooKeeperServer> {
  const libs = await classPath("zookeeper");
  const folder = makeRunFolder("zookeeper");
  const dataDir = options.dataDir ?? folder.data;
  mkdirSync(dataDir, { recursive: true });
  const port = options.port ?? (await freePorts(1))[0]!;
  const config = {
    dataDir,
    clientPort: port,
    clientPortAddress: "127.0.0.1",
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
    command: "java",
    args: [
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
    ],
    folder,
    ready: () => isServing(port),
  });
  await server.start();
  return {
    connectString: `127.0.0.1:${port}`,
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
