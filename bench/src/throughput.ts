import type { KafkaCluster } from "../../test/servers/index.ts";
import { markEvery } from "./meter.ts";
import type { Options } from "./options.ts";
import { rateAfter } from "./stats.ts";
import type { Round, Subject } from "./subjects.ts";
import { type Usage, usageOf } from "./usage.ts";
import { waitFor } from "./wait.ts";

/** What one round of one subject gave. */
export interface ThroughputRound {
  readonly recordsPerSecond: number;
  /** Records handled beyond those of the topic: 0 unless something was delivered twice. */
  readonly repeated: number;
  /** By role of process. Not there without /proc. */
  readonly usage: Readonly<Record<string, RoleUsage>>;
}

export interface RoleUsage {
  readonly cpuMicrosPerRecord: number;
  /** Of the largest process of this role. */
  readonly peakRssBytes: number;
}

const cpuOf = (all: readonly Usage[]) => all.reduce((sum, { cpuMs }) => sum + cpuMs, 0);
const countOf = (round: Round) => round.consumers.reduce((sum, { count }) => sum + count, 0);

interface Snapshot {
  readonly count: number;
  readonly usage: ReadonlyMap<string, readonly Usage[]>;
}

function snapshot(round: Round): Snapshot {
  const usage = new Map(
    Object.entries(round.pids).map(([role, pids]) => [
      role,
      pids.map(usageOf).filter((each) => each !== undefined),
    ]),
  );
  return { count: countOf(round), usage };
}

function usageBetween(from: Snapshot, to: Snapshot): Record<string, RoleUsage> {
  const found: Record<string, RoleUsage> = {};
  for (const [role, usage] of to.usage) {
    if (usage.length === 0) continue;
    const cpuMs = cpuOf(usage) - cpuOf(from.usage.get(role) ?? []);
    found[role] = {
      cpuMicrosPerRecord: (cpuMs * 1000) / Math.max(1, to.count - from.count),
      peakRssBytes: Math.max(...usage.map(({ peakRssBytes }) => peakRssBytes)),
    };
  }
  return found;
}

/** Lets `subject` consume the whole topic. Throws when what it left committed is not the topic's end. */
export async function throughputRound(
  subject: Subject,
  kafka: KafkaCluster,
  place: { readonly topic: string; readonly group: string },
  options: Options,
  signal: AbortSignal,
): Promise<ThroughputRound> {
  const round = await subject.start(place.topic, place.group, "throughput", signal);
  const reached = (count: number) => () => {
    round.check();
    return countOf(round) >= count;
  };
  await waitFor(`${subject.name}: warm-up`, signal, reached(options.warmup));
  const warm = snapshot(round);
  await waitFor(`${subject.name}: all records`, signal, reached(options.records));
  const usage = usageBetween(warm, snapshot(round));
  await round.stop();
  const lag = await kafka.lag(place.group, place.topic);
  if (lag !== 0) throw new Error(`${subject.name} handled all records but left ${lag} uncommitted`);
  const marks = round.consumers.flatMap(({ values }) => values);
  return {
    recordsPerSecond: rateAfter(marks, markEvery, options.warmup),
    repeated: countOf(round) - options.records,
    usage,
  };
}
