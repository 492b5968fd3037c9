// What the programs of a node are told.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cniPlugins } from "../machine.ts";
import type { RunFolder } from "../run-folder.ts";
import { bridgeAddress, clusterDomain, nodeName, podRange } from "./addresses.ts";
import type { Certificates } from "./certificates.ts";

export interface NodeFiles {
  readonly folder: RunFolder;
  /** Name of its control groups. */
  readonly cgroup: string;
  readonly pki: Certificates;
}

/** containerd's socket; of use outside too, as a path is the same in every namespace. */
export function containerdSocket(folder: RunFolder): string {
  return join(folder.dir, "containerd.sock");
}

/** Writes all files but the kubeconfigs into the run folder. */
export function writeNodeFiles(node: NodeFiles): void {
  const { dir } = node.folder;
  const write = (name: string, content: string) => writeFileSync(join(dir, name), content);
  write("containerd.toml", containerd(node.folder));
  mkdirSync(join(dir, "cni"));
  write("cni/pods.conflist", JSON.stringify(network(node.folder)));
  write("kubelet.json", JSON.stringify(kubelet(node)));
  write("kube-proxy.json", JSON.stringify(kubeProxy(node.folder)));
  write("Corefile", corefile(node.folder));
  write("resolv.conf", "");
}

/** A path as a TOML string. */
function quote(path: string): string {
  return JSON.stringify(path);
}

function containerd({ dir, data }: RunFolder): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = ${quote(join(data, "containerd"))}
state = "/run/containerd"
[grpc]
address = ${quote(join(dir, "containerd.sock"))}
[plugins."io.containerd.internal.v1.opt"]
path = ${quote(join(data, "containerd-opt"))}
[${cri}]
sandbox_image = "localhost/pause:1"
# Without CAP_SYS_RESOURCE nobody may lower it, and runc would give every pod up.
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
# Its profile would be loaded into the machine's kernel, and stay there.
disable_apparmor = true
[${cri}.containerd]
snapshotter = "overlayfs"
[${cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.runc.options]
SystemdCgroup = false
[${cri}.cni]
bin_dir = ${quote(cniPlugins)}
conf_dir = ${quote(join(dir, "cni"))}
`;
}

function network({ data }: RunFolder): object {
  const ranges = [[{ subnet: podRange, rangeStart: "198.18.0.10", gateway: bridgeAddress }]];
  return {
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      {
        type: "bridge",
        bridge: "bridge0",
        isGateway: true,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: join(data, "addresses"),
          ranges,
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
    ],
  };
}

function kubelet({ folder, cgroup, pki }: NodeFiles): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    containerRuntimeEndpoint: `unix://${containerdSocket(folder)}`,
    address: bridgeAddress,
    tlsCertFile: pki.certificate("kubelet"),
    tlsPrivateKeyFile: pki.key("kubelet"),
    authentication: {
      x509: { clientCAFile: pki.ca },
      anonymous: { enabled: false },
      webhook: { enabled: false },
    },
    authorization: { mode: "AlwaysAllow" },
    // How soon a changed ConfigMap or Secret is in a pod. Default: a minute.
    syncFrequency: "5s",
    // Tests read whole logs.
    containerLogMaxSize: "100Mi",
    clusterDNS: [bridgeAddress],
    clusterDomain,
    resolvConf: join(folder.dir, "resolv.conf"),
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${cgroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    // kube-proxy makes all that it needs.
    makeIPTablesUtilChains: false,
    volumePluginDir: join(folder.data, "volume-plugins"),
    // A full disk of the developer's is no reason to evict anything.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: {
      "memory.available": "1Mi",
      "nodefs.available": "0.1%",
      "nodefs.inodesFree": "0.1%",
      "imagefs.available": "0.1%",
    },
  };
}

function kubeProxy({ dir }: RunFolder): object {
  return {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "iptables",
    bindAddress: bridgeAddress,
    clusterCIDR: podRange,
    hostnameOverride: nodeName,
    clientConnection: { kubeconfig: join(dir, "proxy.kubeconfig") },
    oomScoreAdj: 0,
    // The machine's own limits stay as they are.
    conntrack: { maxPerCore: 0, tcpEstablishedTimeout: "0s", tcpCloseWaitTimeout: "0s" },
    iptables: { minSyncPeriod: "100ms" },
  };
}

function corefile({ dir }: RunFolder): string {
  return `.:53 {
  bind ${bridgeAddress}
  errors
  ready ${bridgeAddress}:8181
  kubernetes ${clusterDomain} {
    kubeconfig ${join(dir, "admin.kubeconfig")}
    ttl 1
  }
}
`;
}
