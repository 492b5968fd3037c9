// Helm, one KafkaProxy, a Deployment of workers: the whole of it on a real node, with a Kafka beside it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { proxiesPath } from "@kafkaproxy/wire";
import { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import { parseDocument } from "yaml";
import { buildImages } from "../../images/src/index.ts";
import { chart, type Helm, startHelm } from "../charts/helm.ts";
import { until } from "../harness/index.ts";
import {
  type KafkaCluster,
  startKafka,
  startZooKeeper,
  type ZooKeeperServer,
} from "../servers/index.ts";
import { type Cluster, startCluster } from "../servers/kubernetes/index.ts";

const examples = join(import.meta.dirname, "../../examples");
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

  before(async () => {
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

  async function readyPods(count: number): Promise<void> {
    await until(`${count} proxies ready`, async () => {
      const { replicas, readyReplicas } = await status("orders");
      return replicas === count && readyReplicas === count;
    });
  }

  it("is installed by Helm and becomes ready", async () => {
    await helm.succeeds(
      "install",
      "kafka-proxy",
      chart,
      "--namespace=operators",
      "--create-namespace",
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

  it("workers with the client ConfigMap process 20,000 messages, and the status shows lag 0", async () => {
    const deployment = parseDocument(
      readFileSync(join(examples, "worker/deployment.yaml"), "utf8"),
    );
    const container = ["spec", "template", "spec", "containers", 0];
    deployment.setIn(["metadata", "namespace"], "shop");
    deployment.setIn(["spec", "replicas"], 3);
    deployment.setIn([...container, "image"], "localhost/kafka-proxy-example-worker:dev");
    deployment.setIn([...container, "imagePullPolicy"], "Never");
    deployment.setIn([...container, "envFrom"], [{ configMapRef: { name: "orders-client" } }]);
    deployment.setIn([...container, "env"], [{ name: "CONCURRENCY", value: "50" }]);
    await cluster.apply(deployment.toString());
    await kafka.produce(
      "orders",
      orders(20_000, (n) => JSON.stringify({ id: `${n}`, amount: n })),
    );
    await until("committed lag 0", async () => (await kafka.lag(group, "orders")) === 0, 180_000);
    await until("status.lag 0", async () => (await status("orders")).lag?.messages === 0);
    const columns = await kubectl("get", "kafkaproxies", "--namespace=shop");
    assert.match(columns, /TOPIC.*GROUP.*READY.*LAG.*DEAD/u);
  });

  it("counts dead letters", async () => {
    await kafka.produce(
      "orders",
      orders(3, () => "no JSON"),
    );
    await until("3 dead letters", async () => (await status("orders")).deadLetters?.retained === 3);
  });

  it("scales 2 -> 4 -> 1 under load without losing anything; more than partitions is capped", async () => {
    await kafka.produce(
      "orders",
      orders(20_000, (n) => JSON.stringify({ id: `s${n}`, amount: 49 })),
    );
    for (const count of [4, 1]) {
      await kubectl("scale", "kpx", "orders", "--namespace=shop", `--replicas=${count}`);
      await readyPods(count);
    }
    await kubectl("scale", "kpx", "orders", "--namespace=shop", "--replicas=6");
    await until("capped", async () =>
      (await condition("orders", "ReplicasCapped")).startsWith("True"),
    );
    await readyPods(4);
    await until("committed lag 0", async () => (await kafka.lag(group, "orders")) === 0, 180_000);
    assert.equal((await kafka.consumeAll("orders-dlq")).length, 3, "nothing died of a hand-over");
  });

  it("a pod that is deleted by force loses nothing", async () => {
    await kafka.produce(
      "orders",
      orders(5_000, (n) => JSON.stringify({ id: `f${n}`, amount: 49 })),
    );
    await kubectl("delete", "pod", "orders-0", "--namespace=shop", "--force", "--grace-period=0");
    await until("committed lag 0", async () => (await kafka.lag(group, "orders")) === 0, 180_000);
    await readyPods(4);
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
