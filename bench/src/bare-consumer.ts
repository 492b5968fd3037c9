/** The measure of things: kafkajs' own consumer, `eachBatch`, its defaults, one commit by hand after each batch. */
import kafkajs from "kafkajs";
import type { ConsumerJob } from "./child.ts";
import { readJob, say, untilStopped } from "./job.ts";
import { createMeter } from "./meter.ts";

const job = readJob() as ConsumerJob;
const meter = createMeter(job.measure);
const kafka = new kafkajs.Kafka({
  brokers: [...job.bootstrapServers],
  // It calls a coordinator that is being elected an error; a real one ends the round.
  logLevel: kafkajs.logLevel.NOTHING,
});
const consumer = kafka.consumer({ groupId: job.group });
consumer.on(consumer.events.GROUP_JOIN, () => say("ready"));
await consumer.connect();
await consumer.subscribe({ topic: job.topic, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  async eachBatch({ batch }) {
    const { topic, partition, messages } = batch;
    for (const message of messages) meter.take(message.value);
    const offset = (BigInt(batch.lastOffset()) + 1n).toString();
    await consumer.commitOffsets([{ topic, partition, offset }]);
  },
});
untilStopped(() => consumer.disconnect(), meter);
