#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { runProgram } from "./program.ts";

const stop = new AbortController();
const stopNow = new AbortController();
// `serve` has its own handlers, which drain the proxy; these serve the other commands that run until told.
const ask = () => (stop.signal.aborted ? stopNow : stop).abort();
process.on("SIGINT", ask);
process.on("SIGTERM", ask);
// Started by another program over IPC that is gone: nobody is left to tell us.
process.on("disconnect", ask);
// Whoever read our results has gone (`| head`): as good as Ctrl-C, and no reason to crash.
process.stdout.on("error", ask);

const manifest = new URL("../package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
process.exitCode = await runProgram(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  environment: process.env,
  version,
  plugin: basename(process.argv[1] ?? "").startsWith("kubectl-"),
  entry: fileURLToPath(import.meta.url),
  stop: stop.signal,
  stopNow: stopNow.signal,
});
process.off("SIGINT", ask);
process.off("SIGTERM", ask);
process.off("disconnect", ask);
// Told twice: what is still under way (a request that Kafka does not answer) is not waited for.
if (stopNow.signal.aborted) process.exit();
