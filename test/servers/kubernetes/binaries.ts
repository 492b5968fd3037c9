// The cluster's programs, each built from its Go module into .cache when somebody first asks for it.
import { existsSync } from "node:fs";
import { readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { once } from "../jars.ts";
import { runProgram } from "../java.ts";
import { cacheDir, withLock } from "../lock.ts";
import { need, progress } from "../machine.ts";

const modules = join(import.meta.dirname, "go");
const kubernetes = "1.34.4";
const [major, minor] = kubernetes.split(".");
const helm = "3.19.5";
/** What a program takes itself for. Without them Kubernetes would be v0.0.0, too old for any client, and Helm would render for v1.20. */
const stamps: Record<string, readonly string[]> = {
  kubernetes: [
    `k8s.io/component-base/version.gitVersion=v${kubernetes}`,
    `k8s.io/component-base/version.gitMajor=${major}`,
    `k8s.io/component-base/version.gitMinor=${minor}`,
  ],
  helm: [
    `helm.sh/helm/v3/internal/version.version=v${helm}`,
    ...["chartutil", "lint/rules"].flatMap((where) => [
      `helm.sh/helm/v3/pkg/${where}.k8sVersionMajor=${major}`,
      `helm.sh/helm/v3/pkg/${where}.k8sVersionMinor=${minor}`,
    ]),
  ],
};

interface Source {
  readonly version: string;
  /** Folder under `go/`; its go.mod holds the same version. */
  readonly module: string;
  readonly package: string;
}

function ofKubernetes(command: string): Source {
  return { version: kubernetes, module: "kubernetes", package: `k8s.io/kubernetes/cmd/${command}` };
}

/** Exported for the test that compares the versions with the modules. */
export const sources = {
  etcd: { version: "3.6.5", module: "etcd", package: "go.etcd.io/etcd/server/v3" },
  "kube-apiserver": ofKubernetes("kube-apiserver"),
  "kube-controller-manager": ofKubernetes("kube-controller-manager"),
  kubectl: ofKubernetes("kubectl"),
  "kube-scheduler": ofKubernetes("kube-scheduler"),
  kubelet: ofKubernetes("kubelet"),
  "kube-proxy": ofKubernetes("kube-proxy"),
  coredns: { version: "1.12.4", module: "coredns", package: "." },
  helm: { version: helm, module: "helm", package: "helm.sh/helm/v3/cmd/helm" },
  kubeconform: {
    version: "0.7.0",
    module: "helm",
    package: "github.com/yannh/kubeconform/cmd/kubeconform",
  },
} as const satisfies Record<string, Source>;

export type Program = keyof typeof sources;

/** Folder of what is built once and kept: programs, certificates. */
export const kubernetesHome = join(cacheDir, `kubernetes-${kubernetes}`);

/**
 * Path of a program of the pinned version. `KUBEBUILDER_ASSETS`, where it is set and has the program, wins over ours.
 * The first build of everything takes a quarter of an hour of two cores, with Go's build cache warm under a minute.
 */
export async function program(name: Program): Promise<string> {
  const assets = process.env["KUBEBUILDER_ASSETS"];
  if (assets !== undefined && existsSync(join(assets, name))) return join(assets, name);
  const { version } = sources[name];
  const folder = join(kubernetesHome, `${name}-${version}`);
  // Two builds at once would only take each other's cores.
  await once(folder, (part) => withLock("go-build", () => build(name, part)));
  return join(folder, name);
}

async function build(name: Program, folder: string): Promise<void> {
  await need("go");
  const { version, module, package: target } = sources[name];
  const flags = ["-s", "-w", ...(stamps[module] ?? []).map((stamp) => `-X ${stamp}`)].join(" ");
  const startedAt = performance.now();
  progress(`building ${name} ${version} from its Go module`);
  const args = [
    "-C",
    join(modules, module),
    "build",
    "-p",
    "2",
    "-mod=readonly",
    "-buildvcs=false",
  ];
  const output = ["-trimpath", "-ldflags", flags, "-o", `${folder}/`, target];
  const env = { ...process.env, CGO_ENABLED: "0", GOWORK: "off" };
  const hourMs = 3_600_000;
  const { exitCode, stderr } = await runProgram("go", [...args, ...output], {
    timeoutMs: hourMs,
    env,
  });
  if (exitCode !== 0) throw new Error(`could not build ${name} ${version}:\n${stderr}`);
  const [made = ""] = await readdir(folder);
  // Go names it after the last part of the package's path.
  if (made !== name) await rename(join(folder, made), join(folder, name));
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  progress(`built ${name} ${version} in ${seconds} s`);
}
