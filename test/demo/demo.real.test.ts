// `make demo` and `make playground` as a person runs them: they end well, and an interrupted one leaves no process behind.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../harness/index.ts";

const deadlineMs = 300_000;
/** Who started a process, in its environment, which its own children get too. */
const mark = "KAFKAPROXY_DEMO_TEST";

interface Run {
  readonly output: string;
  /** Ctrl-C on its terminal: the signal goes to the whole foreground group. */
  interrupt(): void;
  readonly ended: Promise<number | null>;
  /** Processes that it started, and those that they started, as long as they live. */
  processes(): string[];
}

function commandOf(pid: string, id: string): string | undefined {
  try {
    if (!readFileSync(`/proc/${pid}/environ`, "utf8").includes(`${mark}=${id}`)) return undefined;
    return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").slice(0, 200)}`;
  } catch {
    // It has ended since the folder was read, or is of another user.
    return undefined;
  }
}

function start(program: string): Run {
  const id = randomUUID();
  const child: ChildProcess = spawn(
    process.execPath,
    ["--conditions=kafkaproxy-source", join(import.meta.dirname, program)],
    // A group of its own, as a shell gives to what it runs in the foreground.
    { stdio: ["ignore", "pipe", "pipe"], detached: true, env: { ...process.env, [mark]: id } },
  );
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => (output += text));
  }
  const ended = once(child, "close").then(([code]) => code as number | null);
  return {
    get output() {
      return output;
    },
    interrupt: () => void process.kill(-child.pid!, "SIGINT"),
    ended,
    processes: () =>
      readdirSync("/proc")
        .filter((name) => /^\d+$/u.test(name))
        .flatMap((pid) => commandOf(pid, id) ?? []),
  };
}

/** Waits until the program has said it. */
async function says(run: Run, words: string): Promise<void> {
  let over = false;
  void run.ended.then(() => (over = true));
  await until(
    words,
    () => {
      if (over) assert.ok(run.output.includes(words), `it ended without it:\n${run.output}`);
      return run.output.includes(words);
    },
    deadlineMs,
  );
}

async function leavesNothing(run: Run): Promise<void> {
  let left: string[] = [];
  try {
    await until("no process left", () => {
      left = run.processes();
      return left.length === 0;
    });
  } catch {
    assert.deepEqual(left, []);
  }
}

const linux = { skip: process.platform !== "linux" && "needs /proc" };

test("the demo ends with nothing lost, ten dead letters, one of them shown", linux, async () => {
  const run = start("demo.ts");
  assert.equal(await run.ended, 0, run.output);
  for (const line of [
    /^produced +10000$/mu,
    /^processed +9990 distinct$/mu,
    /^dead-lettered +10 distinct, \d+ records in orders-dlq$/mu,
    /^lost +0$/mu,
    /^committed lag +0$/mu,
    /^disposition +deliveries-exhausted$/mu,
    /^value +\{"n":\d+,"poison":true\}$/mu,
  ]) {
    assert.match(run.output, line);
  }
  await leavesNothing(run);
});

for (const [when, words] of [
  ["while the servers start", "starting ZooKeeper and Kafka"],
  ["while the proxies start", "kafkaproxy up -f"],
  ["in the middle", "stopping proxy orders-0"],
] as const) {
  test(`Ctrl-C ${when} ends the demo to its last process`, linux, async () => {
    const run = start("demo.ts");
    await says(run, words);
    run.interrupt();
    assert.equal(await run.ended, 130, run.output);
    await leavesNothing(run);
  });
}

test(
  "a second Ctrl-C does not wait for drains, and leaves nothing behind either",
  linux,
  async () => {
    const run = start("demo.ts");
    await says(run, "killing a worker process");
    run.interrupt();
    await says(run, "interrupted");
    run.interrupt();
    assert.equal(await run.ended, 130, run.output);
    await leavesNothing(run);
  },
);

test("the playground runs until Ctrl-C, and what it says to type works", linux, async () => {
  const run = start("playground.ts");
  await says(run, "Ctrl-C ends all of it");
  const look = /^ +look: +(.+)$/mu.exec(run.output)?.[1];
  assert.ok(look, run.output);
  const status = spawn("/bin/sh", ["-c", look], { cwd: join(import.meta.dirname, "../..") });
  let shown = "";
  status.stdout.setEncoding("utf8").on("data", (text: string) => (shown += text));
  assert.deepEqual(await once(status, "close"), [0, null]);
  assert.match(shown, /^orders-1 +127\.0\.0\.1:\d+/mu);
  run.interrupt();
  assert.equal(await run.ended, 0, run.output);
  await leavesNothing(run);
});
