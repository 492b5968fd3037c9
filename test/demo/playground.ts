/** `make playground`: Kafka, ZooKeeper and two proxies, until Ctrl-C. */
import { once } from "node:events";
import { interruptedCode, interruption } from "./interruption.ts";
import { type Stage, setStage } from "./stage.ts";

const say = (line: string) => void process.stdout.write(`${line}\n`);
const interrupted = interruption(say);

function invite({ kafka, zookeeper, resourceFile, workerEnvironment }: Stage): void {
  const [bootstrap] = kafka.bootstrapServers;
  const settings = ["ZOOKEEPER", "NAMESPACE", "TOPIC", "CONSUMER_GROUP"]
    .map((name) => `KAFKAPROXY_${name}=${workerEnvironment[`KAFKAPROXY_${name}`]}`)
    .join(" ");
  const run = "node_modules/.bin/node --conditions=kafkaproxy-source cli/src/main.ts";
  say(`
Kafka      ${bootstrap}
ZooKeeper  ${zookeeper.connectString}
resource   ${resourceFile}

In other terminals, from this folder:

  work:        ${settings} ${run} work --exec 'cat; echo'
  produce:     echo hello | kcat -P -b ${bootstrap} -t orders        (apt-get install kcat)
  look:        ${run} status -f ${resourceFile}
  dead letter: ${run} dlq show orders:0:0 -f ${resourceFile}

For a dead letter let the work fail: work --exec 'exit 1'. Ctrl-C ends all of it and removes its data.`);
}

let exitCode = 0;
try {
  const stage = await setStage({ partitions: 4, say, interrupted });
  invite(stage);
  if (!interrupted.aborted) await once(interrupted, "abort");
  say("cleaning up ...");
  await stage.close();
} catch (error) {
  exitCode = interrupted.aborted ? interruptedCode : 1;
  if (!interrupted.aborted) {
    process.stderr.write(`playground: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
// A server that was still starting when we were interrupted would keep this process up; it ends with it.
process.exit(exitCode);
