import type { LatencyRound, Percentiles } from "./latency.ts";
import type { LeasesRound } from "./leases.ts";
import type { Options } from "./options.ts";
import { pairwise, type Spread, spread } from "./stats.ts";
import { bareName } from "./subjects.ts";
import type { ThroughputRound } from "./throughput.ts";

/** One line of the table: a figure, over the rounds. */
export interface Figure {
  readonly part: "throughput" | "latency" | "leases";
  /** `kafkajs`, `proxy-pull` or `proxy-push`. */
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
      ...[...latency].flatMap(([subject, rounds]) => latencyFigures(subject, rounds)),
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

const ways = [
  ["produce to handler", "produceToHandler"],
  ["produce to arrival", "produceToArrival"],
  ["arrival to handler", "arrivalToHandler"],
] as const satisfies [string, keyof LatencyRound][];

function latencyFigures(subject: string, rounds: readonly LatencyRound[]): Figure[] {
  return ways.flatMap(([name, way]) => {
    const found = rounds.flatMap((round): Percentiles[] => {
      const percentiles = round[way];
      return percentiles === undefined ? [] : [percentiles];
    });
    if (found.length === 0) return [];
    return (["p50Ms", "p99Ms"] as const).map((key): Figure => {
      const values = found.map((each) => each[key]);
      const percentile = key.slice(0, 3);
      return {
        part: "latency",
        subject,
        name: `${name}, ${percentile}`,
        unit: "ms",
        spread: spread(values),
      };
    });
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
