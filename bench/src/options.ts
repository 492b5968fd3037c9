import { parseArgs } from "node:util";

/** How workers are fed by the proxy. */
export type Mode = "pull" | "push";

export interface Options {
  readonly partitions: number;
  readonly valueBytes: number;
  /** Records of the throughput topic; each round consumes all of them. */
  readonly records: number;
  /** The first of them, not measured. */
  readonly warmup: number;
  /** Throughput rounds of each subject. */
  readonly rounds: number;
  /** Worker processes. */
  readonly workers: number;
  /** Handlers at a time in each worker process. */
  readonly concurrency: number;
  readonly modes: readonly Mode[];
  /** Records per second of the latency part. */
  readonly rate: number;
  readonly latencySeconds: number;
  /** Latency rounds of each subject. */
  readonly latencyRounds: number;
  /** Messages held at once in the leases part. */
  readonly leases: number;
  readonly json: boolean;
}

const numbers = {
  partitions: [4, "partitions of the topics"],
  "value-bytes": [1024, "bytes of a record's value"],
  records: [300_000, "records of a throughput round"],
  warmup: [60_000, "of these, the first that are not measured"],
  rounds: [5, "throughput rounds of each subject; 0 leaves the part out"],
  workers: [1, "worker processes"],
  concurrency: [100, "handlers at a time in a worker process"],
  rate: [1000, "records per second of the latency part"],
  "latency-seconds": [8, "measured time of a latency round, after 2 s of warm-up"],
  "latency-rounds": [3, "latency rounds of each subject; 0 leaves the part out"],
  leases: [100_000, "messages that one worker holds at once in the leases part; 0 leaves it out"],
} as const satisfies Record<string, readonly [number, string]>;

type NumberFlag = keyof typeof numbers;
const modes: readonly Mode[] = ["pull", "push"];

export const usage = `Measures records per second and added latency beside a bare kafkajs consumer.

${Object.entries(numbers)
  .map(([flag, [fallback, what]]) => `  --${flag.padEnd(16)} ${what} (${fallback})`)
  .join("\n")}
  --modes            how workers are fed: pull, push or both with a comma; nothing measures kafkajs alone (pull)
  --json             prints JSON instead of a table
`;

/** Throws with every fault named. */
export function parseOptions(args: readonly string[]): Options | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...Object.fromEntries(
        Object.keys(numbers).map((flag) => [flag, { type: "string" as const }]),
      ),
      modes: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const given: Record<string, unknown> = values;
  const faults: string[] = [];
  const whole = (flag: NumberFlag, least: number) => {
    const text = given[flag];
    const value = text === undefined ? numbers[flag][0] : Number(text);
    if (!Number.isSafeInteger(value) || value < least) {
      faults.push(`--${flag} is ${String(text)}: a whole number of at least ${least} is needed`);
    }
    return value;
  };
  const asked = (values.modes ?? "pull").split(",").filter((mode) => mode !== "");
  const known = modes.filter((mode) => asked.includes(mode));
  if (known.length !== asked.length) {
    faults.push(`--modes is ${values.modes}: pull, push or pull,push is needed`);
  }
  const options: Options = {
    partitions: whole("partitions", 1),
    // Room for the stamp of the latency part.
    valueBytes: whole("value-bytes", 16),
    records: whole("records", 2000),
    warmup: whole("warmup", 1000),
    rounds: whole("rounds", 0),
    workers: whole("workers", 1),
    concurrency: whole("concurrency", 1),
    modes: known,
    rate: whole("rate", 1),
    latencySeconds: whole("latency-seconds", 1),
    latencyRounds: whole("latency-rounds", 0),
    leases: whole("leases", 0),
    json: values.json,
  };
  if (options.warmup > options.records / 2) {
    faults.push(
      `--warmup is ${options.warmup}: at most half of --records (${options.records}) may go unmeasured`,
    );
  }
  if (faults.length > 0) throw new Error(faults.join("\n"));
  return Object.freeze(options);
}
