import { setTimeout as delay } from "node:timers/promises";
import type { Options } from "./options.ts";
import { proxied, type Round, type Servers } from "./subjects.ts";
import { usageOf } from "./usage.ts";
import { waitFor } from "./wait.ts";

/** CPU time of the proxy as a share of one core, in percent, second by second. */
export interface LeasesRound {
  /** A worker is connected, and nothing to do. */
  readonly idle: readonly number[];
  /** The worker holds all, and renews all once a second. */
  readonly held: readonly number[];
}

const seconds = 10;
const valueBytes = 100;

/** What it costs a proxy that very many messages are with a worker at once, and nothing else happens. */
export async function leasesRound(
  servers: Servers,
  options: Options,
  note: (line: string) => void,
  signal: AbortSignal,
): Promise<LeasesRound> {
  const { kafka } = servers;
  const { leases, partitions } = options;
  const topic = "leases";
  await kafka.createTopic(topic, { partitions });
  // Credit above the limit would be refused and granted again without end: the worker asks for its prefetch too.
  const settings = { queue: { size: leases }, push: { maxCredit: leases * 2 } };
  const subject = proxied(servers, { ...options, workers: 1, concurrency: leases }, "push", {
    settings,
    hold: true,
  });
  const round = await subject.start(topic, topic, "throughput", signal);
  const idle = await watch(round, signal);
  // Each partition has an equal share of the queue: enough for every share to be full.
  await kafka.fill(topic, { count: leases * 2, valueBytes });
  const most = Math.floor(leases / partitions) * partitions;
  await waitFor(`${most} messages held`, signal, () => {
    round.check();
    return round.consumers.every(({ count }) => count >= most);
  });
  note(`leases: ${most} are held`);
  const held = await watch(round, signal);
  await round.stop();
  return { idle, held };
}

async function watch(round: Round, signal: AbortSignal): Promise<number[]> {
  // What led here is over and collected.
  await delay(2_000, undefined, { signal });
  const cpuMs = (): number =>
    (round.pids["proxy"] ?? []).reduce((sum, pid) => sum + (usageOf(pid)?.cpuMs ?? 0), 0);
  const shares: number[] = [];
  for (let second = 0; second < seconds; second++) {
    const before = { at: performance.now(), cpuMs: cpuMs() };
    await delay(1_000, undefined, { signal });
    round.check();
    shares.push((100 * (cpuMs() - before.cpuMs)) / (performance.now() - before.at));
  }
  return shares;
}
