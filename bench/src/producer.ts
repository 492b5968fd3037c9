/** Sends stamped records at a steady rate, each in a request of its own. */
import kafkajs from "kafkajs";
import type { ProducerJob } from "./child.ts";
import { readJob, say, untilStopped } from "./job.ts";
import { hostClockMs, writeStamp } from "./meter.ts";

const job = readJob() as ProducerJob;
const producer = new kafkajs.Kafka({
  brokers: [...job.bootstrapServers],
  logLevel: kafkajs.logLevel.NOTHING,
}).producer({ createPartitioner: () => () => 0 });
await producer.connect();
say("ready");

const total = job.warmup + job.records;
const start = hostClockMs();
const sends: Promise<unknown>[] = [];
const timer = setInterval(() => {
  const due = Math.min(total, ((hostClockMs() - start) * job.rate) / 1000);
  while (sends.length < due) {
    const n = sends.length;
    const value = Buffer.alloc(job.valueBytes);
    writeStamp(value, n < job.warmup ? 0 : hostClockMs());
    const messages = [{ partition: n % job.partitions, value }];
    sends.push(producer.send({ topic: job.topic, messages }));
  }
  if (sends.length < total) return;
  clearInterval(timer);
  void Promise.all(sends).then(() => say("done"));
}, 1);
untilStopped(() => {
  clearInterval(timer);
  return producer.disconnect();
});
