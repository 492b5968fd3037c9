import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join, relative } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { buildImages } from "../../../images/src/index.ts";
import { runProgram } from "../java.ts";
import { startKafka } from "../kafka.ts";
import { cacheDir } from "../lock.ts";
import { startZooKeeper } from "../zookeeper.ts";
import { program, startCluster, type Cluster } from "./index.ts";

const root = join(import.meta.dirname, "../../..");

async function eventually<T>(what: string, check: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + 90_000;
  for (;;) {
    const found = await check();
    if (found !== undefined) return found;
    if (performance.now() > deadline) assert.fail(`not in 90 s: ${what}`);
    await sleep(200);
  }
}

/** What Kubernetes calls restricted: how our own pods run. */
const restricted = {
  runAsNonRoot: true,
  readOnlyRootFilesystem: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

function pod(name: string, container: object, spec: object = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default", labels: { app: name } },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 1,
      containers: [{ name, imagePullPolicy: "Never", ...container }],
      ...spec,
    },
  });
}

function shell(script: string): object {
  return { image: "localhost/busybox:1", args: ["-c", script] };
}

/** A proxy and its configuration. */
function proxyPod(broker: string, zookeeper: string): string {
  const config = {
    topic: "orders",
    consumerGroup: "billing",
    kafka: { bootstrapServers: broker },
    zookeeper: { servers: zookeeper },
    listener: { host: "0.0.0.0" },
  };
  const volume = { name: "config", configMap: { name: "proxy" } };
  const container = {
    image: "localhost/kafka-proxy:dev",
    args: ["serve", "--config", "/etc/kafkaproxy/proxy.yaml"],
    securityContext: restricted,
    volumeMounts: [{ name: "config", mountPath: "/etc/kafkaproxy" }],
  };
  return [
    JSON.stringify({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "proxy", namespace: "default" },
      data: { "proxy.yaml": JSON.stringify(config) },
    }),
    pod("proxy", container, { volumes: [volume] }),
  ].join("\n---\n");
}

interface Process {
  readonly folder: string;
  readonly environment: string;
}

/** All of the machine's, but for zombies. */
function processes(): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/u.test(name))
    .flatMap((pid) => {
      try {
        const folder = readlinkSync(`/proc/${pid}/cwd`); // a zombie has none any more
        return [{ folder, environment: readFileSync(`/proc/${pid}/environ`, "utf8") }];
      } catch {
        return []; // it is gone
      }
    });
}

/** Those that were started in `folder`, whatever they are. */
function processesIn(folder: string): Process[] {
  return processes().filter((one) => one.folder.startsWith(folder));
}

/** Those that have `variable` in their environment: who was started with it and all that they started, but for what runs in pods. */
function processesWith(variable: string): Process[] {
  return processes().filter((one) => one.environment.includes(variable));
}

/** What a kubelet or a kube-proxy would set for the whole machine. */
function settings(): string[] {
  const names = [
    "vm/overcommit_memory",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/ip_forward",
  ];
  return names.map((name) => readFileSync(`/proc/sys/${name}`, "utf8"));
}

function controlGroups(): string[] {
  return readdirSync("/sys/fs/cgroup", { withFileTypes: true })
    .filter((controller) => controller.isDirectory())
    .flatMap(({ name }) => readdirSync(join("/sys/fs/cgroup", name)))
    .filter((name) => name.startsWith("kafkaproxy-test-"));
}

describe("a cluster whose pods run", () => {
  let cluster: Cluster;
  before(async () => {
    const { kafkaProxy, exampleWorker } = await buildImages();
    cluster = await startCluster({ images: [kafkaProxy, exampleWorker] });
  });
  after(() => cluster.stop());

  async function succeeds(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await cluster.kubectl(...args);
    assert.equal(exitCode, 0, stderr);
    return stdout;
  }

  /** Waits for its end; gives what it printed. */
  async function output(name: string): Promise<string> {
    const status = ["get", "pod", name, "-o", "jsonpath={.status.phase}"];
    const phase = await eventually(`${name} ends`, async () => {
      const found = await succeeds(...status);
      return found === "Succeeded" || found === "Failed" ? found : undefined;
    });
    const printed = await succeeds("logs", name);
    assert.equal(phase, "Succeeded", printed);
    return printed;
  }

  it("runs our image under the restricted profile", async () => {
    const container = {
      image: "localhost/kafka-proxy:dev",
      command: ["kafkaproxy", "--help"],
      securityContext: restricted,
    };
    await cluster.apply(pod("help", container));
    assert.match(await output("help"), /serve \[options\]/u);
  });

  it("leads a service's name to its ready pods, and back to the same pod", async () => {
    const serve =
      "mkdir -p /tmp/www; echo lamp >/tmp/www/index.html; exec busybox httpd -f -p 8080 -h /tmp/www";
    const readinessProbe = { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 };
    await cluster.apply(pod("web", { ...shell(serve), readinessProbe }));
    await succeeds("expose", "pod", "web", "--port=80", "--target-port=8080");
    await succeeds("wait", "--for=condition=Ready", "pod/web", "--timeout=60s");
    // By name from our own image, whose C library asks the cluster's DNS; by address from the pod itself.
    const url = "http://web.default.svc.cluster.local";
    const visit = `for (;;) try {
      console.log((await (await fetch("${url}")).text()).trim());
      break;
    } catch (error) {
      console.error(error.cause.code);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }`;
    const command = ["node", "--input-type=module", "-e", visit];
    await cluster.apply(pod("visitor", { image: "localhost/kafka-proxy:dev", command }));
    assert.match(await output("visitor"), /lamp\n$/u);
    const address = await succeeds("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}");
    const again = `until printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 ${address} 80 | grep lamp; do sleep 0.2; done`;
    const itself = await succeeds("exec", "web", "--", "timeout", "60", "sh", "-c", again);
    assert.equal(itself, "lamp\n");
  });

  it("lets pods reach the API server, which knows them by their tokens", async () => {
    const ask = `
      const token = require("fs").readFileSync("/var/run/secrets/kubernetes.io/serviceaccount/token");
      const headers = { authorization: "Bearer " + token };
      fetch("https://kubernetes.default.svc/api/v1/nodes", { headers })
        .then((response) => response.json()).then(({ message }) => console.log(message));`;
    const container = {
      image: "localhost/kafka-proxy:dev",
      command: ["node", "-e", ask],
      env: [
        {
          name: "NODE_EXTRA_CA_CERTS",
          value: "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        },
      ],
      securityContext: restricted,
    };
    await cluster.apply(pod("asker", container));
    assert.match(await output("asker"), /"system:serviceaccount:default:default" cannot list/u);
  });

  it("lets pods reach a Kafka and a ZooKeeper, so that proxy and worker work, and this process what it forwards", async () => {
    const place = { host: cluster.address, netns: cluster.netns };
    const [kafka, zookeeper] = await Promise.all([startKafka(place), startZooKeeper(place)]);
    try {
      await kafka.createTopic("orders", { partitions: 2 });
      const [broker = ""] = kafka.bootstrapServers;
      const [toKafka, toZooKeeper] = [broker, zookeeper.connectString].map(
        (address) => `nc -w 5 ${address.replace(":", " ")}`,
      );
      const script = `${toKafka} </dev/null && echo ruok | ${toZooKeeper}`;
      await cluster.apply(pod("caller", shell(script)));
      assert.equal(await output("caller"), "imok");
      const port = await cluster.forward(Number(zookeeper.connectString.split(":")[1]));
      const answer = await new Promise<string>((resolve, reject) => {
        let text = "";
        const socket = connect(port, "127.0.0.1", () => socket.write("ruok"));
        socket.on("data", (chunk) => (text += chunk.toString()));
        socket.on("close", () => resolve(text));
        socket.on("error", reject);
      });
      assert.equal(answer, "imok");
      await cluster.apply(proxyPod(broker, zookeeper.connectString));
      const env = [
        { name: "KAFKAPROXY_ZOOKEEPER", value: zookeeper.connectString },
        { name: "KAFKAPROXY_TOPIC", value: "orders" },
        { name: "KAFKAPROXY_CONSUMER_GROUP", value: "billing" },
      ];
      const image = "localhost/kafka-proxy-example-worker:dev";
      await cluster.apply(pod("worker", { image, env, securityContext: restricted }));
      await kafka.fill("orders", { count: 2_000, valueBytes: 100 });
      await eventually("all of them are processed", async () => {
        return (await kafka.lag("billing", "orders")) === 0 ? true : undefined;
      });
    } finally {
      await Promise.all([kafka.stop(), zookeeper.stop()]);
    }
  });

  it("starts a container again that ended, and one that took too much memory", async () => {
    const always = { restartPolicy: "Always" };
    const limits = { memory: "20Mi" };
    const greedy = 'x=a; while true; do x="$x$x"; done';
    await cluster.apply(pod("greedy", { ...shell(greedy), resources: { limits } }, always));
    const last = "jsonpath={.status.containerStatuses[0].lastState.terminated.reason}";
    await eventually("killed for its memory and started again", async () => {
      const reason = await succeeds("get", "pod", "greedy", "-o", last);
      return reason === "OOMKilled" ? reason : undefined;
    });
    await succeeds("delete", "pod", "greedy", "--force");
  });

  it("freezes a pod and thaws it", async () => {
    const script = "i=0; while true; do echo $i; i=$((i+1)); sleep 0.1; done";
    await cluster.apply(pod("counter", shell(script)));
    await succeeds("wait", "--for=condition=Ready", "pod/counter", "--timeout=60s");
    await cluster.signalPod("counter", "SIGSTOP");
    let frozenAt = "";
    // What it printed last may reach the log a moment later; one that runs prints ten lines a second.
    await eventually("it stands still", async () => {
      frozenAt = await succeeds("logs", "counter");
      await sleep(1_000);
      return (await succeeds("logs", "counter")) === frozenAt ? true : undefined;
    });
    await cluster.signalPod("counter", "SIGCONT");
    await eventually("it goes on", async () => {
      const goesOn = (await succeeds("logs", "counter")) !== frozenAt;
      return goesOn ? true : undefined;
    });
    await assert.rejects(cluster.signalPod("nobody", "SIGKILL"), /pods "nobody" not found/u);
  });

  it("tells a pod that is deleted, and waits for it", async () => {
    const script = "trap 'echo told; exit 0' TERM; echo up; while true; do sleep 0.1; done";
    await cluster.apply(pod("polite", shell(script), { terminationGracePeriodSeconds: 30 }));
    await succeeds("wait", "--for=condition=Ready", "pod/polite", "--timeout=60s");
    const follow = spawn(await program("kubectl"), ["logs", "--follow", "polite"], {
      env: { ...process.env, KUBECONFIG: cluster.kubeconfig },
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const lines = createInterface({ input: follow.stdout })[Symbol.asyncIterator]();
      // Now its log is followed: of a pod that is gone there is none to be had.
      assert.equal((await lines.next()).value, "up");
      await succeeds("delete", "pod", "polite", "--timeout=60s");
      assert.equal((await lines.next()).value, "told");
      assert.equal((await lines.next()).done, true);
    } finally {
      follow.kill();
    }
  });
});

/** Folders of its processes: of the node, and of the control plane. */
function foldersOf({ netns, kubeconfig }: Pick<Cluster, "netns" | "kubeconfig">): string[] {
  return [readlinkSync(netns.replace("ns/net", "cwd")), realpathSync(dirname(kubeconfig))];
}

/** What the machine has outside of any cluster's folder. */
function machine() {
  return {
    groups: controlGroups(),
    interfaces: readdirSync("/sys/class/net"),
    settings: settings(),
  };
}

async function nothingIsLeft(
  folders: readonly string[],
  before: ReturnType<typeof machine>,
): Promise<void> {
  await eventually("no process, no control group, no data", async () => {
    const gone =
      folders.every((folder) => processesIn(folder).length === 0) &&
      controlGroups().every((group) => before.groups.includes(group)) &&
      folders.every((folder) => !existsSync(join(folder, "data")));
    return gone ? true : undefined;
  });
  const mounts = readFileSync("/proc/mounts", "utf8");
  for (const folder of folders) assert.ok(!mounts.includes(folder));
  const now = machine();
  assert.deepEqual([now.interfaces, now.settings], [before.interfaces, before.settings]);
}

/** What a user's `make cluster` runs, until it has said all; with `mark`, a variable and its value, in its environment. */
async function makeCluster(mark: string) {
  // Under `make test` it is a make inside a make, which would print where it is.
  const dryRun = ["--dry-run", "--no-print-directory", "cluster"];
  const { stdout } = await runProgram("make", dryRun, { cwd: root });
  const recipe = stdout.toString().trim().split("\n").at(-1);
  const child = spawn("/bin/sh", ["-c", `exec env ${mark} ${recipe}`], {
    cwd: root,
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  let said = "";
  await Promise.race([
    exit.then(([code]) => assert.fail(`it ended with ${code}`)),
    new Promise<void>((resolve) => {
      child.stdout.on("data", (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes("Ctrl-C ends it.")) resolve();
      });
    }),
  ]);
  return {
    said,
    exit,
    /** As a terminal's Ctrl-C does, to all that run in its foreground. */
    interrupt: () => process.kill(-child.pid!, "SIGINT"),
    /** What it started ends with it. */
    kill: () => child.kill("SIGKILL"),
  };
}

describe("the end of a cluster", () => {
  it("leaves nothing behind, and the machine's settings as they were", async () => {
    const before = machine();
    const cluster = await startCluster();
    await cluster.apply(pod("busy", shell("while true; do sleep 1; done")));
    await cluster.kubectl("wait", "--for=condition=Ready", "pod/busy", "--timeout=60s");
    const folders = foldersOf(cluster);
    assert.deepEqual(settings(), before.settings);
    await cluster.stop();
    await nothingIsLeft(folders, before);
  });

  it("comes with the process that started it, also by SIGKILL", async () => {
    const before = machine();
    const program = `
      import { startCluster } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
      const { netns, kubeconfig, kubectl } = await startCluster();
      await kubectl("run", "busy", "--image=localhost/busybox:1", "--", "-c", "while true; do sleep 1; done");
      await kubectl("wait", "--for=condition=Ready", "pod/busy", "--timeout=60s");
      console.log(JSON.stringify({ netns, kubeconfig }));
      setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program]);
    const said = await new Promise<string>((resolve, reject) => {
      child.stdout.once("data", (chunk: Buffer) => resolve(chunk.toString()));
      child.once("exit", () => reject(new Error("it did not start")));
    });
    const folders = foldersOf(JSON.parse(said));
    assert.ok(folders.every((folder) => processesIn(folder).length > 0));
    child.kill("SIGKILL");
    await nothingIsLeft(folders, before);
    for (const folder of folders) rmSync(folder, { recursive: true });
  });

  it("comes with Ctrl-C to `make cluster`, whose kubeconfig leads to a ready node until then", async () => {
    const before = machine();
    const mark = `KAFKAPROXY_TEST_MARK=${randomUUID()}`;
    const started = await makeCluster(mark);
    try {
      const [, kubeconfig = ""] = /^export KUBECONFIG=(.+)$/mu.exec(started.said) ?? [];
      const [, kubectl = ""] = /^kubectl +(.+)$/mu.exec(started.said) ?? [];
      const env = { ...process.env, KUBECONFIG: kubeconfig };
      const { stdout, stderr } = await runProgram(kubectl, ["get", "nodes"], { env });
      assert.match(stdout.toString(), /^node +Ready /mu, stderr);
      const runs = realpathSync(join(cacheDir, "run"));
      const folders = new Set(
        processesWith(mark)
          .filter(({ folder }) => folder.startsWith(runs))
          .map(({ folder }) => join(runs, relative(runs, folder).split("/")[0] ?? "")),
      );
      // The node's, the control plane's, Kafka's and ZooKeeper's.
      assert.equal(folders.size, 4, [...folders].join());
      started.interrupt();
      assert.deepEqual(await started.exit, [0, null]);
      await nothingIsLeft([...folders], before);
      await eventually("nothing that it started", async () =>
        processesWith(mark).length === 0 ? true : undefined,
      );
      for (const folder of folders) assert.ok(!existsSync(folder), folder);
    } finally {
      started.kill();
    }
  });
});
