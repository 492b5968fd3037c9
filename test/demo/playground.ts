/** `make playground`: Kafka, ZooKeeper and two proxies, until Ctrl-C. */
import { setStage } from "./stage.ts";

const say = (line: string) => void process.stdout.write(`${line}\n`);
const stage = await setStage({ partitions: 4, say });
const [bootstrap] = stage.kafka.bootstrapServers;
const settings = ["ZOOKEEPER", "NAMESPACE", "TOPIC", "CONSUMER_GROUP"]
  .map((name) => `KAFKAPROXY_${name}=${stage.workerEnvironment[`KAFKAPROXY_${name}`]}`)
  .join(" ");
const run = "node_modules/.bin/node --conditions=kafkaproxy-source cli/src/main.ts";

say(`
Kafka      ${bootstrap}
ZooKeeper  ${stage.zookeeper.connectString}
resource   ${stage.resourceFile}

In other terminals, from this folder:

  work:      ${settings} ${run} work --exec 'cat; echo'
  produce:   echo hello | kcat -P -b ${bootstrap} -t orders
  look:      ${run} status -f ${stage.resourceFile}

Ctrl-C ends all of it and removes its data.`);

process.once("SIGINT", () => {
  say("cleaning up ...");
  void stage.close();
});
