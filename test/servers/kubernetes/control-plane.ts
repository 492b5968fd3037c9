// etcd, kube-apiserver and kube-controller-manager: a real API without a node.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { join } from "node:path";
import { runProgram } from "../java.ts";
import { type NetworkNamespace, within } from "../netns.ts";
import { freePorts } from "../ports.ts";
import { keepLogs, makeRunFolder, type RunFolder } from "../run-folder.ts";
import { ServerProcess } from "../server-process.ts";
import { clusterDomain, serviceRange } from "./addresses.ts";
import { program, type Program } from "./binaries.ts";
import { certificates, writeKubeconfig, type Certificates } from "./certificates.ts";
import { loopback, type Place } from "./place.ts";

export interface KubectlResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Everything that a client of the cluster needs. */
export interface ControlPlane {
  /** `https://127.0.0.1:port`, reached from this machine. */
  readonly server: string;
  /** The same, reached from where it runs itself: by its node and by pods. */
  readonly insideServer: string;
  /** The network that it runs in; undefined: the machine's own. */
  readonly netns: NetworkNamespace | undefined;
  /** File of a kubeconfig with all rights. */
  readonly kubeconfig: string;
  /** Where the API server writes down each request that changes something, one JSON object a line. */
  readonly auditLog: string;
  /** May be killed, started again on its port, frozen and thawed; so may the others. */
  readonly apiServer: ServerProcess;
  readonly etcd: ServerProcess;
  readonly controllerManager: ServerProcess;
  /** Runs kubectl to its end; a failure is its exit code. */
  kubectl(...args: string[]): Promise<KubectlResult>;
  /** The same, with something on its standard input. */
  kubectlWithInput(input: string, ...args: string[]): Promise<KubectlResult>;
  /** `kubectl apply --server-side -f -` of YAML or JSON. Throws what kubectl says when it is refused. */
  apply(manifest: string): Promise<void>;
  /** Ends all of it and removes its data. */
  stop(): Promise<void>;
}

export interface ControlPlaneOptions {
  /** More arguments of kube-apiserver; of two of one name the later one counts, so they win over ours. */
  readonly apiServerArgs?: readonly string[];
  /** Default: on loopback. */
  readonly place?: Place;
}

const auditPolicy = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [
    { level: "Metadata", verbs: ["create", "update", "patch", "delete", "deletecollection"] },
    { level: "None" },
  ],
};

/**
 * Starts etcd, kube-apiserver and kube-controller-manager; resolves when objects can be made. Nothing runs pods.
 * The first call ever builds the programs.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const { place = loopback, apiServerArgs = [] } = options;
  const paths = {
    etcd: await program("etcd"),
    apiServer: await program("kube-apiserver"),
    controllerManager: await program("kube-controller-manager"),
    kubectl: await program("kubectl"),
  };
  const pki = await certificates();
  const folder = makeRunFolder("control-plane");
  const [etcdPort = 0, peerPort = 0, apiPort = 0] = await freePorts(3);
  const server = `https://127.0.0.1:${await place.forward(apiPort)}`;
  const kubeconfig = writeKubeconfig(join(folder.dir, "kubeconfig"), server, "admin", pki);
  const insideServer = `https://${place.address}:${apiPort}`;
  const inside = writeKubeconfig(join(folder.dir, "inside"), insideServer, "admin", pki);
  const auditLog = join(folder.dir, "audit.log");
  const ask = (path: string) => get(server + path, pki);
  const component = (name: Program, path: string, args: string[], ready: ReadyCheck) =>
    new ServerProcess({ name, ...within(place.netns, path, args), folder, ready });

  const etcd = component("etcd", paths.etcd, etcdArgs(folder, etcdPort, peerPort), (log) =>
    log.includes("ready to serve client requests"),
  );
  const apiServer = component(
    "kube-apiserver",
    paths.apiServer,
    [...apiArgs({ folder, place, pki, auditLog, apiPort, etcdPort }), ...apiServerArgs],
    async () => (await ask("/readyz")).status === 200,
  );
  const controllerManager = component(
    "kube-controller-manager",
    paths.controllerManager,
    controllerManagerArgs(inside, pki),
    // Without it the API server refuses every pod.
    async () => (await ask("/api/v1/namespaces/default/serviceaccounts/default")).status === 200,
  );

  const stop = async () => {
    // Nothing of theirs is needed any more; an orderly end would take seconds.
    await Promise.all([apiServer, controllerManager, etcd].map((part) => part.kill()));
    rmSync(folder.data, { recursive: true, force: true });
  };
  try {
    await etcd.start();
    await apiServer.start();
    await controllerManager.start();
  } catch (error) {
    keepLogs();
    await stop();
    throw error;
  }
  const run = async (args: readonly string[], stdin = ""): Promise<KubectlResult> => {
    const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: folder.dir };
    const result = await runProgram(paths.kubectl, args, { env, stdin });
    return { ...result, stdout: result.stdout.toString() };
  };
  return {
    server,
    insideServer,
    netns: place.netns,
    kubeconfig,
    auditLog,
    apiServer,
    etcd,
    controllerManager,
    kubectl: (...args) => run(args),
    kubectlWithInput: (input, ...args) => run(args, input),
    apply: async (manifest) => {
      const { exitCode, stderr } = await run(["apply", "--server-side", "-f", "-"], manifest);
      if (exitCode !== 0) throw new Error(stderr.trim());
    },
    stop,
  };
}

type ReadyCheck = (log: string) => boolean | Promise<boolean>;

/** As administrator. Status 0 when nobody answers. */
export function get(url: string, pki: Certificates): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const options = {
      ca: readFileSync(pki.ca),
      cert: readFileSync(pki.certificate("admin")),
      key: readFileSync(pki.key("admin")),
      timeout: 2_000,
      agent: false,
    };
    const asked = request(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
      });
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve({ status: 0, body: "" })); // not up yet, or gone again
    asked.end();
  });
}

function etcdArgs(folder: RunFolder, clientPort: number, peerPort: number): string[] {
  const client = `http://127.0.0.1:${clientPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  return [
    `--data-dir=${join(folder.data, "etcd")}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    // The data have to survive the process, not the machine.
    "--unsafe-no-fsync",
  ];
}

function apiArgs(where: {
  folder: RunFolder;
  place: Place;
  pki: Certificates;
  auditLog: string;
  apiPort: number;
  etcdPort: number;
}): string[] {
  const { folder, place, pki, auditLog, apiPort, etcdPort } = where;
  const policy = join(folder.dir, "audit-policy.json");
  writeFileSync(policy, JSON.stringify(auditPolicy));
  const inside = place.netns !== undefined;
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    // In a namespace of its own there is nobody but the cluster.
    `--bind-address=${inside ? "0.0.0.0" : "127.0.0.1"}`,
    `--advertise-address=${place.address}`,
    // The service `kubernetes` may not lead to loopback.
    ...(inside ? [] : ["--endpoint-reconciler-type=none"]),
    `--secure-port=${apiPort}`,
    `--cert-dir=${folder.data}`,
    `--service-cluster-ip-range=${serviceRange}`,
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    "--allow-privileged=true",
    `--client-ca-file=${pki.ca}`,
    `--tls-cert-file=${pki.certificate("apiserver")}`,
    `--tls-private-key-file=${pki.key("apiserver")}`,
    `--kubelet-client-certificate=${pki.certificate("apiserver")}`,
    `--kubelet-client-key=${pki.key("apiserver")}`,
    `--kubelet-certificate-authority=${pki.ca}`,
    "--kubelet-preferred-address-types=InternalIP",
    `--service-account-issuer=https://kubernetes.default.svc.${clusterDomain}`,
    `--service-account-key-file=${pki.serviceAccountKey}`,
    `--service-account-signing-key-file=${pki.serviceAccountKey}`,
    `--requestheader-client-ca-file=${pki.ca}`,
    "--requestheader-allowed-names=front-proxy",
    "--requestheader-username-headers=X-Remote-User",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    `--proxy-client-cert-file=${pki.certificate("front-proxy")}`,
    `--proxy-client-key-file=${pki.key("front-proxy")}`,
    `--audit-policy-file=${policy}`,
    `--audit-log-path=${auditLog}`,
  ];
}

function controllerManagerArgs(kubeconfig: string, pki: Certificates): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    // One of it, and as administrator: the first service account is there five seconds earlier.
    "--leader-elect=false",
    "--use-service-account-credentials=false",
    `--service-account-private-key-file=${pki.serviceAccountKey}`,
    `--root-ca-file=${pki.ca}`,
    "--secure-port=0",
  ];
}
