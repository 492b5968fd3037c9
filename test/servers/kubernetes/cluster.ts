// A control plane and one node that runs pods, in namespaces of their own: the machine sees nothing of it.
import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runProgram, type ProgramResult } from "../java.ts";
import { need } from "../machine.ts";
import { within, type NetworkNamespace } from "../netns.ts";
import { keepLogs, makeRunFolder, type RunFolder } from "../run-folder.ts";
import { ServerProcess } from "../server-process.ts";
import { bridgeAddress, nodeName, serviceRange } from "./addresses.ts";
import { writeBaseImages } from "./base-images.ts";
import { program } from "./binaries.ts";
import { certificates, writeKubeconfig, type Certificates } from "./certificates.ts";
import { startControlPlane, type ControlPlane, type ControlPlaneOptions } from "./control-plane.ts";
import { makeForwarder, type Forwarder } from "./forwarder.ts";
import { containerdSocket, writeNodeFiles } from "./node-config.ts";
import { signalPod } from "./pod-processes.ts";

export interface Cluster extends ControlPlane {
  /** What pods reach servers by that run in the node's network, see {@link netns}. */
  readonly address: string;
  /** The node's network: given to `startKafka` and `startZooKeeper` together with `host: address`. */
  readonly netns: NetworkNamespace;
  /** Makes the images of a docker or OCI archive known to the node; pods use them with `imagePullPolicy: Never` or `IfNotPresent`. */
  loadImage(file: string): Promise<void>;
  /** Sends `signal` to the processes of a pod's containers: SIGSTOP freezes it, SIGCONT thaws it, SIGKILL is a crash. */
  signalPod(name: string, signal: NodeJS.Signals, namespace?: string): Promise<void>;
  /** A port of this machine's 127.0.0.1 that leads to `port` of {@link address}, or of another `host` in the node's network. */
  forward(port: number, host?: string): Promise<number>;
}

export interface ClusterOptions extends Omit<ControlPlaneOptions, "place"> {
  /** Archives to load before the first pod. */
  readonly images?: readonly string[];
}

const readyDeadlineMs = 120_000;

/**
 * Starts a Kubernetes whose pods really run; resolves when the node is ready and has its images. `localhost/busybox:1` is always
 * there. Needs root; containerd and runc are installed with apt-get where they are missing.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new Error("a node that runs pods needs Linux and root: run the tests as root");
  }
  await need("containerd");
  const node = await startNode();
  try {
    const { forwarder, netns, folder } = node;
    const place = {
      address: bridgeAddress,
      netns,
      forward: (port: number) => forwarder.forward(bridgeAddress, port),
    };
    const base = join(folder.data, "base-images.tar");
    await writeBaseImages(base);
    const images = [base, ...(options.images ?? [])];
    const starting = startControlPlane({ ...options, place });
    const loading = Promise.all(images.map((file) => loadImage(folder, file)));
    await Promise.allSettled([starting, loading]); // both at their end: nothing starts any more when one has failed
    const controlPlane = await starting;
    node.onStop(() => controlPlane.stop());
    await loading;
    const pki = await certificates();
    writeKubeconfigs(folder, controlPlane.insideServer, pki);
    writeFileSync(join(folder.dir, "control-plane-is-ready"), "");
    await untilNodeIsReady(controlPlane);
    return {
      ...controlPlane,
      address: bridgeAddress,
      netns,
      loadImage: (file) => loadImage(folder, file),
      signalPod: (name, signal, namespace = "default") =>
        signalPod(controlPlane, { name, namespace }, signal),
      forward: (port, host = bridgeAddress) => forwarder.forward(host, port),
      stop: () => node.stop(),
    };
  } catch (error) {
    keepLogs();
    await node.stop();
    throw error;
  }
}

interface Node {
  readonly folder: RunFolder;
  readonly netns: NetworkNamespace;
  readonly forwarder: Forwarder;
  /** What has to end before the node's network does. */
  onStop(end: () => Promise<void>): void;
  stop(): Promise<void>;
}

async function startNode(): Promise<Node> {
  const paths = {
    KUBELET: await program("kubelet"),
    SCHEDULER: await program("kube-scheduler"),
    PROXY: await program("kube-proxy"),
    COREDNS: await program("coredns"),
  };
  const pki = await certificates();
  const folder = makeRunFolder("node");
  const cgroup = `kafkaproxy-test-${randomBytes(4).toString("hex")}`;
  writeNodeFiles({ folder, cgroup, pki });
  const env = {
    ...process.env,
    ...paths,
    RUN: folder.dir,
    DATA: folder.data,
    ADDRESS: bridgeAddress,
    SERVICES: serviceRange,
    NODE: nodeName,
    CGROUP: cgroup,
  };
  const namespaces = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const script = join(import.meta.dirname, "node.sh");
  const machine = new ServerProcess({
    name: "node",
    command: "unshare",
    args: [...namespaces, "/bin/sh", script],
    env,
    folder,
    tidy: removeControlGroups(cgroup),
    ready: async (log) =>
      log.includes("network is up") && (await containerd(folder, "version")).exitCode === 0,
  });
  const gatewaySocket = join(folder.dir, "gateway.sock");
  const forwarder = makeForwarder(gatewaySocket);
  const ends: (() => Promise<void>)[] = [];
  const stop = async () => {
    await Promise.all(ends.map((end) => end()));
    await forwarder.close();
    await machine.kill();
    await runProgram("/bin/sh", ["-c", removeControlGroups(cgroup)]);
    rmSync(folder.data, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  try {
    await machine.start();
    const netns = `/proc/${machine.pid}/ns/net`;
    const gatewayScript = join(import.meta.dirname, "gateway.ts");
    const gateway = new ServerProcess({
      name: "gateway",
      ...within(netns, process.execPath, [gatewayScript, gatewaySocket]),
      folder,
      ready: (log) => log.includes("gateway is open"),
    });
    ends.push(() => gateway.kill());
    await gateway.start();
    return { folder, netns, forwarder, onStop: (end) => ends.push(end), stop };
  } catch (error) {
    keepLogs();
    await stop();
    throw error;
  }
}

/** They outlive their processes; those are on their way out when this runs, so it tries for a while. */
function removeControlGroups(cgroup: string): string {
  return `for _ in $(seq 100); do
  found=$(find /sys/fs/cgroup -maxdepth 2 -name ${cgroup})
  [ -n "$found" ] || break
  find $found -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.1
done`;
}

function writeKubeconfigs(folder: RunFolder, server: string, pki: Certificates): void {
  for (const identity of ["admin", "kubelet", "scheduler", "proxy"] as const) {
    writeKubeconfig(join(folder.dir, `${identity}.kubeconfig`), server, identity, pki);
  }
}

async function containerd(folder: RunFolder, ...args: string[]): Promise<ProgramResult> {
  const client = ["--address", containerdSocket(folder), "--connect-timeout", "1s"];
  return runProgram("ctr", [...client, "--namespace", "k8s.io", ...args]);
}

async function loadImage(folder: RunFolder, file: string): Promise<void> {
  const { exitCode, stderr } = await containerd(folder, "images", "import", file);
  if (exitCode !== 0) throw new Error(`containerd does not take ${file}: ${stderr.trim()}`);
}

async function untilNodeIsReady(cluster: ControlPlane): Promise<void> {
  const deadline = performance.now() + readyDeadlineMs;
  const condition = '{.status.conditions[?(@.type=="Ready")].status}';
  for (;;) {
    const { stdout } = await cluster.kubectl(
      "get",
      "node",
      nodeName,
      "-o",
      `jsonpath=${condition}`,
    );
    if (stdout === "True") return;
    if (performance.now() > deadline) {
      const { stdout: said } = await cluster.kubectl("describe", "nodes");
      throw new Error(`the node did not get ready:\n${said}`);
    }
    await sleep(100);
  }
}
