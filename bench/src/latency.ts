import type { KafkaCluster } from "../../test/servers/index.ts";
import { startChild } from "./child.ts";
import type { Options } from "./options.ts";
import { quantile } from "./stats.ts";
import type { Subject } from "./subjects.ts";
import { waitFor } from "./wait.ts";

/** Milliseconds from the producer's send to the start of the handler. */
export interface LatencyRound {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly samples: number;
}

const warmupSeconds = 2;

/** A steady stream into an empty topic, with `subject` consuming. */
export async function latencyRound(
  subject: Subject,
  kafka: KafkaCluster,
  place: { readonly topic: string; readonly group: string },
  options: Options,
  signal: AbortSignal,
): Promise<LatencyRound> {
  const { partitions, valueBytes, rate } = options;
  const warmup = warmupSeconds * rate;
  const records = options.latencySeconds * rate;
  await kafka.createTopic(place.topic, { partitions });
  const round = await subject.start(place.topic, place.group, "latency", signal);
  const { bootstrapServers } = kafka;
  const producer = startChild("producer.ts", {
    bootstrapServers,
    topic: place.topic,
    partitions,
    valueBytes,
    rate,
    warmup,
    records,
  });
  const samples = () => round.consumers.flatMap(({ values }) => values);
  await waitFor(`${subject.name}: ${records} records`, signal, () => {
    round.check();
    producer.check();
    return producer.done && samples().length >= records;
  });
  await Promise.all([producer.stop(), round.stop()]);
  const found = samples();
  return {
    p50Ms: quantile(found, 0.5),
    p99Ms: quantile(found, 0.99),
    maxMs: quantile(found, 1),
    samples: found.length,
  };
}
