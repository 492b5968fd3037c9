import type { LatencyRound } from "./latency.ts";
import type { LeasesRound } from "./leases.ts";
import type { Options } from "./options.ts";
import { pairwise, type Spread, spread } from "./stats.ts";
import { bareName, sourceName } from "./subjects.ts";
import type { ThroughputRound } from "./throughput.ts";

/** One line of the table: a figure, over the rounds. */
export interface Figure {
  readonly part: "throughput" | "latency" | "leases";
  /** `kafkajs`, `source`, `proxy-pull` or `proxy-push`. */
  readonly subject: string;
  readonly name: string;
  readonly unit: string;
  readonly spread: Spread;
}

export interface Report {
  readonly options: Options;
  readonly figures: readonly Figure[];
}

export function reportOf(
  options: Options,
  throughput: ReadonlyMap<string, readonly ThroughputRound[]>,
  latency: ReadonlyMap<string, readonly LatencyRound[]>,
  leases: LeasesRound | undefined,
): Report {
  return {
    options,
    figures: [
      ...[...throughput].flatMap(([subject, rounds]) =>
        throughputFigures(subject, rounds, throughput.get(bareName) ?? []),
      ),
      ...[...latency].flatMap(([subject, rounds]) =>
        latencyFigures(subject, rounds, latency.get(sourceName) ?? []),
      ),
      ...(leases === undefined ? [] : leasesFigures(options, leases)),
    ],
  };
}

function throughputFigures(
  subject: string,
  rounds: readonly ThroughputRound[],
  bareRounds: readonly ThroughputRound[],
): Figure[] {
  if (rounds.length === 0) return [];
  const figure = (name: string, unit: string, found: Spread): Figure => ({
    part: "throughput",
    subject,
    name,
    unit,
    spread: found,
  });
  const rates = rounds.map(({ recordsPerSecond }) => recordsPerSecond);
  const figures = [figure("throughput", "records/s", spread(rates))];
  if (subject !== bareName) {
    const bareRates = bareRounds.map(({ recordsPerSecond }) => recordsPerSecond);
    figures.push(
      figure(
        "of kafkajs",
        "ratio",
        pairwise(rates, bareRates, (ours, theirs) => ours / theirs),
      ),
    );
    figures.push(
      figure("delivered again", "records", spread(rounds.map(({ repeated }) => repeated))),
    );
  }
  for (const role of Object.keys(rounds[0]?.usage ?? {})) {
    const used = rounds.flatMap(({ usage }) => usage[role] ?? []);
    const cpu = used.map(({ cpuMicrosPerRecord }) => cpuMicrosPerRecord);
    const peak = used.map(({ peakRssBytes }) => peakRssBytes / 2 ** 20);
    figures.push(figure(`${role} CPU`, "us/record", spread(cpu)));
    figures.push(figure(`${role} RSS, peak`, "MiB", spread(peak)));
  }
  return figures;
}

function latencyFigures(
  subject: string,
  rounds: readonly LatencyRound[],
  sourceRounds: readonly LatencyRound[],
): Figure[] {
  if (rounds.length === 0) return [];
  return (["p50Ms", "p99Ms"] as const).flatMap((key) => {
    const percentile = key.slice(0, 3);
    const ours = rounds.map((round) => round[key]);
    const theirs = sourceRounds.map((round) => round[key]);
    const figure = (name: string, found: Spread): Figure => ({
      part: "latency",
      subject,
      name,
      unit: "ms",
      spread: found,
    });
    const whole = figure(
      `produce to ${subject === sourceName ? "arrival" : "handler"}, ${percentile}`,
      spread(ours),
    );
    if (subject === bareName || subject === sourceName) return [whole];
    return [
      whole,
      figure(
        `arrival to handler, ${percentile}`,
        pairwise(ours, theirs, (a, b) => a - b),
      ),
    ];
  });
}

function leasesFigures({ leases }: Options, { idle, held }: LeasesRound): Figure[] {
  return [shareOfCore("idle", idle), shareOfCore(`${leases} leases out`, held)];
}

function shareOfCore(name: string, shares: readonly number[]): Figure {
  return {
    part: "leases",
    subject: "proxy-push",
    name: `proxy CPU, ${name}`,
    unit: "% of a core",
    spread: spread(shares),
  };
}

export function jsonOf(report: Report): string {
  return JSON.stringify(report, undefined, 2);
}

const digits: Record<string, number> = {
  "records/s": 0,
  records: 0,
  MiB: 0,
  "us/record": 1,
  "% of a core": 1,
};

/** Aligned columns for people. */
export function tableOf({ options, figures }: Report): string {
  const head = ["", "", "median", "min", "max", ""];
  const rows = figures.map(({ subject, name, unit, spread: found }) => [
    subject,
    name,
    ...[found.median, found.min, found.max].map((value) => format(value, digits[unit] ?? 2)),
    unit,
  ]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) =>
        i >= 2 && i <= 4 ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [
    `${options.records} records of ${options.valueBytes} bytes in ${options.partitions} partitions, ` +
      `${options.rounds} rounds each; ${options.workers} worker process(es) of ${options.concurrency} handlers`,
    `latency at ${options.rate} records/s for ${options.latencySeconds} s, ${options.latencyRounds} rounds each`,
    "",
    line(head),
    ...rows.map(line),
  ].join("\n");
}

function format(value: number, fraction: number): string {
  return value.toLocaleString("en-US", {
    minimumFractionDigits: fraction,
    maximumFractionDigits: fraction,
  });
}
