/** `make bench`: ours beside a bare kafkajs consumer, on real servers. `--help` lists the flags. */
import { parseOptions, type Options, usage } from "./src/options.ts";
import { jsonOf, tableOf } from "./src/report.ts";
import { run } from "./src/run.ts";

const stopping = new AbortController();
process.once("SIGINT", () => stopping.abort(new Error("interrupted")));

const note = (line: string) => void process.stderr.write(`bench: ${line}\n`);

async function main(options: Options): Promise<void> {
  const report = await run(options, note, stopping.signal);
  process.stdout.write(`${options.json ? jsonOf(report) : tableOf(report)}\n`);
}

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === "help") process.stdout.write(usage);
  else await main(options);
} catch (error) {
  process.exitCode = 1;
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
}
