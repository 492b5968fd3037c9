/** A worker as users write it: the handler returns, which acks the message; at once, or with `hold` at the end. */
import { connect } from "@kafkaproxy/client";
import type { ConsumerJob } from "./child.ts";
import { readJob, say, untilStopped } from "./job.ts";
import { createMeter } from "./meter.ts";

const job = readJob() as ConsumerJob;
const meter = createMeter(job.measure);
const proxy = await connect({
  zookeeper: job.zookeeper,
  topic: job.topic,
  consumerGroup: job.group,
  mode: job.mode,
});
const stopping = Promise.withResolvers<void>();
const worker = proxy.work(
  (message) => {
    meter.take(message.value, message);
    return job.hold === true ? stopping.promise : undefined;
  },
  { concurrency: job.concurrency },
);
say("ready");
untilStopped(async () => {
  stopping.resolve();
  await worker.drain();
  await proxy.close();
}, meter);
