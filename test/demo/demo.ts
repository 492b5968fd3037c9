/**
 * `make demo`: the main job on real servers, with a summary that a person can check. Exit code 1 if anything was lost,
 * 130 if it was interrupted.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { interruption, interruptedCode } from "./interruption.ts";
import { type Stage, setStage } from "./stage.ts";
import { Tally } from "./tally.ts";
import type { Processed } from "./worker-process.ts";

const total = 10_000;
const poison = 10;
const partitions = 4;
const workerProcesses = 4;
const deadlineMs = 300_000;

const say = (line: string) => void process.stdout.write(`${line}\n`);
const interrupted = interruption(say);

function orders(): { partition: number; key: string; value: string }[] {
  const every = total / poison;
  return Array.from({ length: total }, (_, n) => ({
    partition: n % partitions,
    key: `order-${n}`,
    value: JSON.stringify({ n, poison: n % every === every / 2 }),
  }));
}

function startWorker(stage: Stage, tally: Tally): ChildProcess {
  const child = fork(join(import.meta.dirname, "worker-process.ts"), {
    env: stage.workerEnvironment,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  child.on("message", (message: Processed) => tally.add(message));
  return child;
}

async function stopWorker(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

/** Polls until `reached`, or throws with what is missing. */
async function until(what: string, reached: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await reached())) {
    interrupted.throwIfAborted();
    if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function signalProxy(stage: Stage, instance: string, signal: NodeJS.Signals): void {
  const proxy = stage.proxies.get(instance);
  if (proxy === undefined) throw new Error(`there is no proxy ${instance}`);
  process.kill(proxy.pid, signal);
}

/** Records in the dead-letter topic, which is made with the first of them. */
async function deadLetters(stage: Stage): Promise<number> {
  const topic = `${stage.workerEnvironment["KAFKAPROXY_TOPIC"]}-dlq`;
  try {
    const ends = await stage.kafka.endOffsets(topic);
    return [...ends.values()].reduce((sum, end) => sum + end, 0);
  } catch (error) {
    if (String(error).includes("UnknownTopicOrPartition")) return 0;
    throw error;
  }
}

async function show(stage: Stage, tally: Tally): Promise<boolean> {
  const group = stage.workerEnvironment["KAFKAPROXY_CONSUMER_GROUP"] ?? "";
  const topic = stage.workerEnvironment["KAFKAPROXY_TOPIC"] ?? "";
  const dead = await stage.kafka.consumeAll(`${topic}-dlq`);
  const deadOrders = new Set(
    dead.map(({ value }) => (JSON.parse(value?.toString() ?? "{}") as { n: number }).n),
  );
  await until("committed lag 0", async () => (await stage.kafka.lag(group, topic)) === 0);
  const lost = orders().filter((_, n) => !tally.processed.has(n) && !deadOrders.has(n)).length;
  say("");
  say(`produced           ${total}`);
  say(`processed          ${tally.processed.size} distinct`);
  say(`dead-lettered      ${deadOrders.size} distinct, ${dead.length} records in ${topic}-dlq`);
  say(`lost               ${lost}`);
  say(`processed twice    ${tally.duplicates}`);
  say(`delivered again    ${tally.redelivered}`);
  say(`committed lag      0`);
  const msgId = tally.failed.values().next().value;
  if (msgId === undefined) throw new Error("no poison message was seen");
  say("");
  say(`$ kafkaproxy dlq show ${msgId} -f kafkaproxy.yaml`);
  const shown = await stage.kafkaproxy("dlq", "show", msgId, "-f", stage.resourceFile);
  say(shown.stdout.trimEnd());
  if (shown.code !== 0) throw new Error(`dlq show ended with ${shown.code}: ${shown.stderr}`);
  return lost === 0 && deadOrders.size === poison && tally.processed.size === total - poison;
}

async function run(): Promise<boolean> {
  const stage = await setStage({ partitions, say, interrupted });
  const workers: ChildProcess[] = [];
  try {
    const tally = new Tally();
    say(`producing ${total} messages, ${poison} of them poison ...`);
    const topic = stage.workerEnvironment["KAFKAPROXY_TOPIC"] ?? "";
    await stage.kafka.produce(topic, orders());
    say(`starting 40 workers in ${workerProcesses} processes ...`);
    for (let i = 0; i < workerProcesses; i++) workers.push(startWorker(stage, tally));

    await until("a quarter processed", () => tally.processed.size >= total / 4);
    say(`${tally.processed.size} processed: killing a worker process (SIGKILL)`);
    workers[0]?.kill("SIGKILL");
    await until("half processed", () => tally.processed.size >= total / 2);
    say(`${tally.processed.size} processed: stopping proxy orders-0 (SIGTERM: it drains)`);
    signalProxy(stage, "orders-0", "SIGTERM");
    await until("three quarters processed", () => tally.processed.size >= (total * 3) / 4);
    say(`${tally.processed.size} processed: killing proxy orders-1 (SIGKILL)`);
    signalProxy(stage, "orders-1", "SIGKILL");
    await until("all processed", () => tally.processed.size >= total - poison);
    say(`${tally.processed.size} processed: waiting for the poison messages' last deliveries`);
    await until(`${poison} dead letters`, async () => (await deadLetters(stage)) >= poison);
    const good = await show(stage, tally);
    return good;
  } finally {
    say("");
    say("cleaning up ...");
    await Promise.all(workers.map(stopWorker));
    await stage.close();
  }
}

let exitCode: number;
try {
  exitCode = (await run()) ? 0 : 1;
} catch (error) {
  exitCode = interrupted.aborted ? interruptedCode : 1;
  if (!interrupted.aborted) {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}
// A server that was still starting when we were interrupted would keep this process up; it ends with it.
process.exit(exitCode);
