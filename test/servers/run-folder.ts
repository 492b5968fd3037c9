// One folder a server for its data and logs, under .cache/run.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "./lock.ts";

/** `dir` holds the logs; `data` inside it what the server writes. */
export interface RunFolder {
  readonly dir: string;
  readonly data: string;
}

const made = new Set<RunFolder>();
let failed = false;

/**
 * A new folder. When the process ends, its data go; its logs go too unless the process failed or a server did not start:
 * then their path is printed.
 */
export function makeRunFolder(name: string): RunFolder {
  const parent = join(cacheDir, "run");
  mkdirSync(parent, { recursive: true });
  const dir = mkdtempSync(join(parent, `${name}-`));
  const folder = { dir, data: join(dir, "data") };
  mkdirSync(folder.data);
  if (made.size === 0) process.once("exit", clear);
  made.add(folder);
  return folder;
}

/** From now on the logs are worth keeping. */
export function keepLogs(): void {
  failed = true;
}

/** What Ctrl-C ends is no failure. */
const interruptedCode = 130;

function clear(exitCode: number): void {
  for (const { dir, data } of made) {
    if (failed || (exitCode !== 0 && exitCode !== interruptedCode)) {
      rmSync(data, { recursive: true, force: true });
      process.stderr.write(`servers: logs kept in ${dir}\n`);
    } else rmSync(dir, { recursive: true, force: true });
  }
}
