/** Where a proxy takes its records from, alone: the same fetch loop as in its source, and nothing behind it. */
import { Fetcher } from "@kafkaproxy/kafka";
import type { ConsumerJob } from "./child.ts";
import { readJob, say, untilStopped } from "./job.ts";
import { createMeter } from "./meter.ts";

const job = readJob() as ConsumerJob;
const meter = createMeter(job.measure);
const fetcher = new Fetcher({
  settings: { bootstrapServers: job.bootstrapServers },
  topic: job.topic,
  handlers: {
    batch({ records }) {
      for (const { value } of records) meter.take(value);
    },
    outOfRange() {
      throw new Error(`topic ${job.topic} does not start at 0: it was not made for this round`);
    },
  },
});
for (let partition = 0; partition < job.partitions; partition++) fetcher.add(partition, 0);
fetcher.start();
say("ready");
untilStopped(() => fetcher.close(), meter);
