// `make cluster`: a Kubernetes with a node, our images, a Kafka and a ZooKeeper that pods reach, until Ctrl-C.
import { buildImages } from "../../../images/src/index.ts";
import { startKafka } from "../kafka.ts";
import { startZooKeeper } from "../zookeeper.ts";
import { program, startCluster } from "./index.ts";

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const told = new Promise<void>((resolve) => {
  process.on("SIGINT", resolve);
  process.on("SIGTERM", resolve);
});
const { kafkaProxy, exampleWorker } = await buildImages();
const cluster = await startCluster({ images: [kafkaProxy, exampleWorker] });
const place = { host: cluster.address, netns: cluster.netns };
try {
  const [kafka, zookeeper] = await Promise.all([startKafka(place), startZooKeeper(place)]);
  say(`
export KUBECONFIG=${cluster.kubeconfig}
kubectl    ${await program("kubectl")}
images     localhost/kafka-proxy:dev  localhost/kafka-proxy-example-worker:dev  localhost/busybox:1
for pods   Kafka ${kafka.bootstrapServers.join(",")}  ZooKeeper ${zookeeper.connectString}
Ctrl-C ends it.`);
  await told;
  say("ending ...");
  await Promise.all([kafka.stop(), zookeeper.stop()]);
} finally {
  await cluster.stop();
}
