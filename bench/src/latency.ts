import type { KafkaCluster } from "../../test/servers/index.ts";
import { addedMs } from "./added.ts";
import { startChild } from "./child.ts";
import type { Options } from "./options.ts";
import { quantile } from "./stats.ts";
import type { Subject } from "./subjects.ts";
import { waitFor } from "./wait.ts";

export interface Percentiles {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Of one round's records. Behind a proxy, where each is stamped as it arrives, the two parts of the way too. */
export interface LatencyRound {
  readonly produceToHandler: Percentiles;
  readonly produceToArrival?: Percentiles;
  readonly arrivalToHandler?: Percentiles;
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
  const { arrivals } = round;
  await waitFor(`${subject.name}: ${records} records`, signal, () => {
    round.check();
    producer.check();
    const arrived = arrivals?.values.length ?? records;
    return producer.done && arrived >= records && samples().length >= records;
  });
  await Promise.all([producer.stop(), round.stop()]);
  const produceToHandler = percentiles(samples());
  if (arrivals === undefined) return { produceToHandler };
  const handled = round.consumers.flatMap(({ stamps }) => stamps);
  return {
    produceToHandler,
    produceToArrival: percentiles(arrivals.values),
    arrivalToHandler: percentiles(addedMs(arrivals.stamps, handled)),
  };
}

function percentiles(values: readonly number[]): Percentiles {
  return { p50Ms: quantile(values, 0.5), p99Ms: quantile(values, 0.99) };
}
