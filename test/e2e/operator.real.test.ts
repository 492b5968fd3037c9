// Helm, one KafkaProxy, a Deployment of workers: the whole of it on a real node, with a Kafka beside it.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { proxiesPath } from "@kafkaproxy/wire";
import { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import { parseDocument } from "yaml";
import { buildImages } from "../../images/src/index.ts";
import { chart, type Helm, startHelm } from "../charts/helm.ts";
import { until } from "../harness/index.ts";
import {
  endState,
  madeFor,
  operatorWrites,
  type Owned,
  ownedKinds,
  turnsOf,
} from "../harness/operator-work.ts";
import {
  type KafkaCluster,
  startKafka,
  startZooKeeper,
  type ZooKeeperServer,
} from "../servers/index.ts";
import { runProgram } from "../servers/java.ts";
import {
  type Cluster,
  program,
  startAdmissionGate,
  startCluster,
} from "../servers/kubernetes/index.ts";
import { finished, type Load, startLoad } from "./load.ts";

const examples = join(import.meta.dirname, "../../examples");
const compiledCli = join(import.meta.dirname, "../../cli/dist/main.js");
const group = "billing";

interface Status {
  readonly conditions?: readonly { type: string; status: string; reason: string }[];
  readonly replicas?: number;
  readonly readyReplicas?: number;
  readonly partitions?: number;
  readonly lag?: { readonly messages: number };
  readonly deadLetters?: { readonly retained: number };
}

function orders(count: number, value: (n: number) => string) {
  return Array.from({ length: count }, (_, n) => ({ partition: n % 4, value: value(n) }));
}

describe("the operator on a real node", () => {
  let cluster: Cluster;
  let kafka: KafkaCluster;
  let zookeeper: ZooKeeperServer;
  let helm: Helm;
  /** Where kubectl and its plugin are. */
  const bin = mkdtempSync(join(tmpdir(), "kafkaproxy-e2e-"));

  before(async () => {
    symlinkSync(await program("kubectl"), join(bin, "kubectl"));
    chmodSync(compiledCli, 0o755); // as npm does when it installs a package's command
    symlinkSync(compiledCli, join(bin, "kubectl-kafkaproxy"));
    const { kafkaProxy, exampleWorker } = await buildImages();
    cluster = await startCluster({ images: [kafkaProxy, exampleWorker] });
    const place = { host: cluster.address, netns: cluster.netns };
    [kafka, zookeeper, helm] = await Promise.all([
      startKafka(place),
      startZooKeeper(place),
      startHelm(cluster.kubeconfig),
    ]);
  });
  after(async () => {
    helm?.close();
    rmSync(bin, { recursive: true });
    await Promise.all([kafka?.stop(), zookeeper?.stop()]);
    await cluster?.stop();
  });

  async function kubectl(...args: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await cluster.kubectl(...args);
    assert.equal(exitCode, 0, stderr);
    return stdout;
  }

  /** The example resource with this cluster's servers in it, and another topic and name where they are given. */
  function resource(name: string, spec: Record<string, unknown> = {}): string {
    const document = parseDocument(readFileSync(join(examples, "kafkaproxy.yaml"), "utf8"));
    document.setIn(["metadata", "name"], name);
    document.setIn(["spec", "topic"], name);
    document.setIn(["spec", "kafka", "bootstrapServers"], kafka.bootstrapServers);
    document.setIn(["spec", "zookeeper", "servers"], [zookeeper.connectString]);
    for (const [key, value] of Object.entries(spec)) document.setIn(["spec", key], value);
    return document.toString();
  }

  async function status(name: string): Promise<Status> {
    const found = await kubectl("get", "kpx", name, "--namespace=shop", "-o", "json");
    return (JSON.parse(found) as { status?: Status }).status ?? {};
  }

  async function condition(name: string, type: string): Promise<string> {
    const { conditions = [] } = await status(name);
    const found = conditions.find((each) => each.type === type);
    return `${found?.status} ${found?.reason}`;
  }

  async function readyPods(count: number, name = "orders"): Promise<void> {
    await until(`${count} proxies of ${name} ready`, async () => {
      const { replicas, readyReplicas } = await status(name);
      return replicas === count && readyReplicas === count;
    });
  }

  async function scale(replicas: number, name = "orders"): Promise<void> {
    await kubectl("scale", "kpx", name, "--namespace=shop", `--replicas=${replicas}`);
  }

  async function setSpec(spec: object): Promise<void> {
    const patch = ["--type=merge", "-p", JSON.stringify({ spec })];
    await kubectl("patch", "kpx", "orders", "--namespace=shop", ...patch);
  }

  /** Objects of these kinds that belong to these KafkaProxies. */
  async function owned(kinds: string, ...names: string[]): Promise<Owned[]> {
    const selector = `app.kubernetes.io/instance in (${names.join()})`;
    const found = await kubectl("get", kinds, "--namespace=shop", "-l", selector, "-o", "json");
    return (JSON.parse(found) as { items: Owned[] }).items;
  }

  /** Of every object and every pod: one that was made anew under its name has another. */
  async function uids(...names: string[]): Promise<Map<string, string>> {
    const all = await owned(`${ownedKinds},pod`, ...names);
    return new Map(all.map(({ kind, metadata }) => [`${kind}/${metadata.name}`, metadata.uid]));
  }

  /** The operator's pod that has the lease. */
  async function leader(): Promise<string> {
    const holder = ["-o", "jsonpath={.spec.holderIdentity}"];
    const identity = await kubectl(
      "get",
      "lease",
      "kafka-proxy",
      "--namespace=operators",
      ...holder,
    );
    return identity.split("_")[0] ?? "";
  }

  /** What the pod says itself, while it can be asked. */
  async function leads(pod: string): Promise<boolean | undefined> {
    const path = `/api/v1/namespaces/operators/pods/${pod}:8080/proxy/metrics`;
    const { exitCode, stdout } = await cluster.kubectl("get", "--raw", path);
    if (exitCode !== 0) return undefined;
    return /^kafkaproxy_operator_leader 1$/mu.test(stdout);
  }

  async function podIds(): Promise<string[]> {
    const selector = ["--namespace=shop", "-l", "app.kubernetes.io/instance=orders"];
    const found = await kubectl(
      "get",
      "pods",
      ...selector,
      "-o",
      "jsonpath={.items[*].metadata.uid}",
    );
    return found.split(" ");
  }

  /** What the proxies themselves say, through the API server. */
  async function allPaused(expected: boolean): Promise<boolean> {
    const adminPort = "jsonpath={.spec.admin.port}";
    const port = await kubectl("get", "kpx", "orders", "--namespace=shop", "-o", adminPort);
    const answers = await Promise.all(
      [0, 1, 2].map(async (n) => {
        const path = `/api/v1/namespaces/shop/pods/orders-${n}:${port}/proxy/status`;
        const { exitCode, stdout } = await cluster.kubectl("get", "--raw", path);
        return exitCode === 0 && (JSON.parse(stdout) as { paused: boolean }).paused === expected;
      }),
    );
    return answers.every(Boolean);
  }

  /** What the workers' logs say of each of these orders. */
  async function finishes(
    ids: ReadonlySet<string>,
    ...since: string[]
  ): Promise<(readonly string[])[]> {
    const all = ["--tail=-1", "--prefix", ...since];
    const log = await kubectl("logs", "--namespace=shop", "-l", "app=orders-worker", ...all);
    const found = finished(log);
    return [...ids].map((id) => found.get(id) ?? []);
  }

  async function unprocessed(ids: ReadonlySet<string>, ...since: string[]): Promise<string[]> {
    const lines = await finishes(ids, ...since);
    return [...ids].filter((_, n) => lines[n]?.length === 0);
  }

  async function allProcessed(ids: ReadonlySet<string>): Promise<void> {
    assert.ok(ids.size > 0);
    await until("committed lag 0", async () => (await kafka.lag(group, "orders")) === 0, 180_000);
    assert.deepEqual(await unprocessed(ids), []);
  }

  async function finishedAgain(ids: ReadonlySet<string>): Promise<string[]> {
    return (await finishes(ids))
      .filter((lines) => lines.length > 1)
      .map((lines) => lines.join(" "));
  }

  async function noneLostOrTwice(ids: ReadonlySet<string>): Promise<void> {
    await allProcessed(ids);
    assert.deepEqual(await finishedAgain(ids), [], `finished twice, of ${ids.size}`);
  }

  /** Orders written from now on are worked on too. */
  async function flowsOn(load: Load): Promise<void> {
    const from = load.count;
    await until("more orders", () => load.count >= from + 500);
    const prefix = load.prefix;
    await until("they are worked on", async () => {
      const ids = new Set(Array.from({ length: 500 }, (_, n) => `${prefix}-${from + n}`));
      return (await unprocessed(ids, "--since=2m")).length === 0;
    });
  }

  /** `kubectl kafkaproxy ...`, as somebody with a kubeconfig runs it. */
  async function plugin(...args: string[]) {
    const env = {
      ...process.env,
      PATH: `${bin}:${process.env["PATH"]}`,
      KUBECONFIG: cluster.kubeconfig,
    };
    const { exitCode, stdout, stderr } = await runProgram("kubectl", ["kafkaproxy", ...args], {
      env,
    });
    return { exitCode, stdout: stdout.toString(), stderr };
  }

  it("is installed by Helm and becomes ready", async () => {
    await helm.succeeds(
      "install",
      "kafka-proxy",
      chart,
      "--namespace=operators",
      "--create-namespace",
      "--set=replicas=2",
      "--set-string=image.tag=dev",
      "--set=image.pullPolicy=Never",
    );
    await kubectl("rollout", "status", "deployment", "--namespace=operators", "--timeout=90s");
    await kubectl("create", "namespace", "shop");
  });

  it("a missing topic is Degraded within 15 s, and heals by itself when the topic is made", async () => {
    await cluster.apply(resource("orders"));
    await until(
      "Degraded",
      async () => (await condition("orders", "Degraded")) === "True TopicNotFound",
      15_000,
    );
    await kafka.createTopic("orders", { partitions: 4 });
    await until(
      "healed",
      async () => (await condition("orders", "Degraded")).startsWith("False"),
      30_000,
    );
    await readyPods(2);
    assert.equal((await status("orders")).partitions, 4);
  });

  it("the example's workers process 20,000 messages, and the status shows the lag go to 0", async () => {
    await kafka.produce(
      "orders",
      orders(20_000, (n) => JSON.stringify({ id: `first-${n}`, amount: n })),
    );
    await until("the lag is seen", async () => ((await status("orders")).lag?.messages ?? 0) > 0);
    // The file as it is, but for where its image comes from, and fewer pods.
    const deployment = parseDocument(
      readFileSync(join(examples, "worker/deployment.yaml"), "utf8"),
    );
    const container = ["spec", "template", "spec", "containers", 0];
    deployment.setIn(["spec", "replicas"], 3);
    deployment.setIn([...container, "image"], "localhost/kafka-proxy-example-worker:dev");
    deployment.setIn([...container, "imagePullPolicy"], "Never");
    await cluster.apply(deployment.toString());
    await until("committed lag 0", async () => (await kafka.lag(group, "orders")) === 0, 180_000);
    await until("status.lag 0", async () => (await status("orders")).lag?.messages === 0);
    const ids = new Set(Array.from({ length: 20_000 }, (_, n) => `first-${n}`));
    assert.deepEqual(await unprocessed(ids), []);
    const columns = await kubectl("get", "kafkaproxies", "--namespace=shop");
    assert.match(columns, /TOPIC.*GROUP.*READY.*LAG.*DEAD/u);
  });

  it("counts dead letters; kubectl kafkaproxy shows one without being told where anything is", async () => {
    const [place] = await kafka.produce(
      "orders",
      orders(3, () => "no JSON"),
    );
    await until("3 dead letters", async () => (await status("orders")).deadLetters?.retained === 3);
    const msgId = `orders:${place?.partition}:${place?.offset}`;
    const shown = await plugin("dlq", "show", msgId, "-n", "shop", "--json");
    assert.equal(shown.exitCode, 0, shown.stderr);
    const letter = JSON.parse(shown.stdout) as { msgId: string; value: { text: string } };
    assert.deepEqual([letter.msgId, letter.value.text], [msgId, "no JSON"]);
    const unknown = await plugin("dlq", "show", "orders:0:0", "-A");
    assert.equal(unknown.exitCode, 3, unknown.stderr);
    assert.match(unknown.stderr, /^kafkaproxy: .*orders:0:0/u);
    assert.equal(unknown.stdout, "");
    const whole = await plugin("status", "--namespace=shop", "--name=orders");
    assert.match(whole.stdout, /dead letters 3 in orders-dlq[^]*orders-0[^]*orders-1/u);
    const elsewhere = await plugin("status");
    assert.equal(elsewhere.exitCode, 3);
    assert.match(elsewhere.stderr, /no KafkaProxy was found; looked at: none at all/u);
  });

  it("replicas 2 -> 4 -> 1 under load, then more than partitions: 0 lost, 0 duplicates", async () => {
    const load = startLoad(kafka, "orders", "scaled", 4);
    for (const count of [4, 1]) {
      await scale(count);
      await readyPods(count);
    }
    await scale(6);
    await until("capped", async () =>
      (await condition("orders", "ReplicasCapped")).startsWith("True"),
    );
    await readyPods(4);
    await flowsOn(load);
    await noneLostOrTwice(await load.end());
  });

  it("partitions added under load: the operator scales up to them by itself: 0 lost, 0 duplicates", async () => {
    const load = startLoad(kafka, "orders", "grown", 4);
    await kafka.addPartitions("orders", 6);
    const intoNew = startLoad(kafka, "orders", "new", 6);
    await readyPods(6);
    assert.equal((await status("orders")).partitions, 6);
    assert.equal(await condition("orders", "ReplicasCapped"), "False WithinPartitions");
    await flowsOn(load);
    await flowsOn(intoNew);
    await noneLostOrTwice(new Set([...(await load.end()), ...(await intoNew.end())]));
  });

  it("paused and not paused again: nothing is delivered meanwhile, no pod is restarted, nothing is lost", async () => {
    await scale(3);
    await readyPods(3);
    const before = await podIds();
    await setSpec({ paused: true });
    await until("every proxy has paused", () => allPaused(true));
    const ids = new Set(Array.from({ length: 200 }, (_, n) => `paused-${n}`));
    await kafka.produce(
      "orders",
      [...ids].map((id, n) => ({ partition: n % 6, value: JSON.stringify({ id, amount: 1 }) })),
    );
    await until("status.lag", async () => (await status("orders")).lag?.messages === ids.size);
    assert.equal((await unprocessed(ids)).length, ids.size);
    assert.equal(await condition("orders", "Ready"), "True Paused");
    await setSpec({ paused: false });
    await noneLostOrTwice(ids);
    assert.deepEqual(await podIds(), before);
  });

  it("a changed setting rolls pod by pod under load: 0 lost, 0 duplicates", async () => {
    const load = startLoad(kafka, "orders", "rolled", 6);
    const before = await podIds();
    await setSpec({ delivery: { maxDeliveries: 6 } });
    const ready = new Set<number>();
    await until("all pods are new and ready", async () => {
      const { readyReplicas = 0 } = await status("orders");
      ready.add(readyReplicas);
      const now = await podIds();
      const fresh = now.every((id) => !before.includes(id));
      return (
        fresh && now.length === 3 && (await condition("orders", "Progressing")) === "False Complete"
      );
    });
    assert.ok(Math.min(...ready) >= 2, `ready at a time: ${[...ready].join()}`);
    await flowsOn(load);
    await noneLostOrTwice(await load.end());
  });

  it("a pod that is deleted by force under load loses nothing", async () => {
    const load = startLoad(kafka, "orders", "forced", 6);
    await flowsOn(load);
    await kubectl("delete", "pod", "orders-0", "--namespace=shop", "--force", "--grace-period=0");
    await readyPods(3);
    await flowsOn(load);
    const ids = await load.end();
    await allProcessed(ids);
    const again = await finishedAgain(ids);
    console.log(`finished again after a pod was deleted by force: ${again.length} of ${ids.size}`);
  });

  it("operators killed in the middle of their work, twice: nothing is made twice, and the end is as if they had not been", async () => {
    for (const topic of ["torn", "whole"]) await kafka.createTopic(topic, { partitions: 2 });
    const before = await uids("orders");
    const account = "system:serviceaccount:operators:kafka-proxy";
    const gate = await startAdmissionGate(cluster, account);
    let held = gate.hold({ kind: "Service", name: "torn-proxy" });
    await cluster.apply(resource("torn", { consumerGroup: "torn" }));
    for (const next of [{ kind: "StatefulSet", name: "torn" }, undefined]) {
      await held;
      const there = (await owned(ownedKinds, "torn")).map(({ kind }) => kind);
      assert.ok(there.includes("ConfigMap") && !there.includes("StatefulSet"), there.join());
      await cluster.signalPod(await leader(), "SIGKILL", "operators");
      gate.open();
      if (next !== undefined) held = gate.hold(next);
    }
    await gate.close();
    await readyPods(2, "torn");
    await cluster.apply(resource("whole", { consumerGroup: "whole" }));
    await readyPods(2, "whole");
    for (const name of ["torn", "whole"]) {
      await until(`${name} is told`, async () => {
        return (await condition(name, "Degraded")) === "False AllWell";
      });
    }
    assert.deepEqual(
      endState("torn", await owned(ownedKinds, "torn")),
      endState("whole", await owned(ownedKinds, "whole")),
    );
    const made = madeFor("torn", operatorWrites(cluster.auditLog));
    assert.deepEqual(made, [...new Set(made)]);
    assert.ok(made.includes("statefulsets/torn"), made.join());
    assert.deepEqual(await uids("orders"), before);
  });

  it("the leading operator frozen until the other takes over: one writes at a time, and what is there stays", async () => {
    const before = await uids("orders", "torn");
    const first = await leader();
    const earlier = operatorWrites(cluster.auditLog).length;
    await cluster.signalPod(first, "SIGSTOP", "operators");
    await scale(1, "torn");
    await readyPods(1, "torn");
    const second = await leader();
    assert.notEqual(second, first);
    // Its liveness probe has failed meanwhile. Where that took long enough the kubelet is starting it anew: that one minds no SIGCONT.
    await until("the first is thawed", () =>
      cluster.signalPod(first, "SIGCONT", "operators").then(
        () => true,
        () => false,
      ),
    );
    // Both hear of it; the first may not have noticed yet.
    await scale(2, "torn");
    await until("the first has noticed", async () => (await leads(first)) === false);
    await readyPods(2, "torn");
    assert.equal(await leads(second), true);
    const turns = turnsOf(operatorWrites(cluster.auditLog).slice(earlier));
    // Its last writes may have been answered after the log was read.
    assert.deepEqual(turns[0] === first ? turns.slice(1) : turns, [second]);
    const after = await uids("orders", "torn");
    // Scaled away meanwhile, and made anew.
    for (const all of [before, after]) assert.ok(all.delete("Pod/torn-1"));
    assert.deepEqual(after, before);
    await kubectl("delete", "kpx", "torn", "whole", "--namespace=shop");
  });

  it("nothing died on the way but what was poison", async () => {
    assert.equal((await kafka.consumeAll("orders-dlq")).length, 3);
  });

  it("deletion leaves nothing that it owned, nor a proxy in ZooKeeper", async () => {
    await kubectl("delete", "kpx", "orders", "--namespace=shop", "--wait=true");
    const kinds = "statefulsets,configmaps,services,poddisruptionbudgets,serviceaccounts,pods";
    await until("nothing is left", async () => {
      const left = await kubectl(
        "get",
        kinds,
        "--namespace=shop",
        "-l",
        "app.kubernetes.io/instance=orders",
        "-o",
        "name",
      );
      return left.trim() === "";
    });
    const port = await cluster.forward(Number(zookeeper.connectString.split(":")[1]));
    const session = new ZooKeeperSession({ servers: `127.0.0.1:${port}` });
    try {
      session.start();
      const path = proxiesPath({ namespace: "shop", topic: "orders", consumerGroup: group });
      await until("no proxy is registered", async () => {
        const registered = await session.children(path);
        return registered !== undefined && registered.length === 0;
      });
    } finally {
      await session.close();
    }
  });
});
