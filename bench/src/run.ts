import { startKafka, startZooKeeper } from "../../test/servers/index.ts";
import { type LatencyRound, latencyRound } from "./latency.ts";
import { leasesRound } from "./leases.ts";
import type { Options } from "./options.ts";
import { type Report, reportOf } from "./report.ts";
import { bare, proxied, type Servers, type Subject } from "./subjects.ts";
import { type ThroughputRound, throughputRound } from "./throughput.ts";

const topic = "bench";

/** All rounds of all subjects in turn, A B A B, so that the machine's moods meet all of them. */
async function interleaved<T>(
  subjects: readonly Subject[],
  rounds: number,
  measure: (subject: Subject, group: string) => Promise<T>,
): Promise<Map<string, T[]>> {
  const found = new Map<string, T[]>(subjects.map(({ name }) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const subject of subjects) {
      found.get(subject.name)?.push(await measure(subject, `${subject.name}-${round}`));
    }
  }
  return found;
}

async function measureAll(
  servers: Servers,
  options: Options,
  note: (line: string) => void,
  signal: AbortSignal,
): Promise<Report> {
  const { kafka } = servers;
  const kafkajs = bare(servers, options);
  const workers = options.modes.map((mode) => proxied(servers, options, mode));
  let throughput = new Map<string, ThroughputRound[]>();
  if (options.rounds > 0) {
    note(`producing ${options.records} records of ${options.valueBytes} bytes ...`);
    await kafka.createTopic(topic, { partitions: options.partitions });
    await kafka.fill(topic, { count: options.records, valueBytes: options.valueBytes });
    throughput = await interleaved(
      [kafkajs, ...workers],
      options.rounds,
      async (subject, group) => {
        const place = { topic, group: `throughput-${group}` };
        const round = await throughputRound(subject, kafka, place, options, signal);
        note(`throughput ${group}: ${Math.round(round.recordsPerSecond)} records/s`);
        return round;
      },
    );
  }
  const latency: Map<string, LatencyRound[]> = await interleaved(
    [kafkajs, ...workers],
    options.latencyRounds,
    async (subject, group) => {
      const name = `latency-${group}`;
      const round = await latencyRound(
        subject,
        kafka,
        { topic: name, group: name },
        options,
        signal,
      );
      const { p50Ms, p99Ms } = round.produceToHandler;
      note(`${name}: p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms`);
      return round;
    },
  );
  // Without /proc there is nothing to measure it with.
  const leases =
    options.leases > 0 && process.platform === "linux"
      ? await leasesRound(servers, options, note, signal)
      : undefined;
  return reportOf(options, throughput, latency, leases);
}

/** Starts the servers, measures, ends them. */
export async function run(
  options: Options,
  note: (line: string) => void,
  signal: AbortSignal,
): Promise<Report> {
  note("starting ZooKeeper and Kafka ...");
  const zookeeper = await startZooKeeper();
  try {
    const kafka = await startKafka();
    try {
      return await measureAll({ kafka, zookeeper }, options, note, signal);
    } finally {
      await kafka.stop();
    }
  } finally {
    await zookeeper.stop();
  }
}
