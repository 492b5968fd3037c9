// The command line as people and scripts use it: processes, exit codes, what they print.
import assert from "node:assert/strict";
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { parseDocument } from "yaml";
import { cliEntry, until, type World, createWorld } from "../harness/index.ts";
import { freePorts } from "../servers/index.ts";

const example = join(import.meta.dirname, "../../examples/kafkaproxy.yaml");
const folder = mkdtempSync(join(tmpdir(), "kafkaproxy-cli-test-"));
const children = new Set<ChildProcess>();
let world: World;
before(async () => {
  world = await createWorld();
});
after(async () => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
  await world.close();
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly stdout: string;
  readonly stderr: string;
  readonly ended: Promise<Ended>;
}

function start(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Running {
  const child = spawn(process.execPath, ["--conditions=kafkaproxy-source", cliEntry, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  children.add(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(([code]) => {
    children.delete(child);
    return { code: code as number | null, stdout, stderr };
  });
  return {
    child,
    ended,
    get stdout() {
      return stdout;
    },
    get stderr() {
      return stderr;
    },
  };
}

const kafkaproxy = (...args: string[]): Promise<Ended> => start(args).ended;

/** The example resource with this test's servers and a topic of its own. */
async function resource(topic: string): Promise<string> {
  const document = parseDocument(readFileSync(example, "utf8"));
  document.setIn(["metadata", "name"], topic);
  document.setIn(["spec", "topic"], topic);
  document.setIn(["spec", "kafka", "bootstrapServers"], [...world.kafka.bootstrapServers]);
  document.setIn(["spec", "zookeeper", "servers"], world.zookeeper.connectString.split(","));
  const file = join(folder, `${topic}.yaml`);
  writeFileSync(file, document.toString());
  await world.kafka.createTopic(topic, { partitions: 2 });
  return file;
}

const workerOptions = (topic: string): string[] => [
  `--zookeeper=${world.zookeeper.connectString}`,
  "--namespace=shop",
  `--topic=${topic}`,
  "--group=billing",
];

interface UpEvent {
  readonly event: "started" | "report" | "ended";
  readonly instance: string;
  readonly pid: number;
  readonly state?: string;
  readonly code?: number | null;
  readonly signal?: string | null;
  readonly restartInMs?: number;
}

class Up {
  readonly events: UpEvent[] = [];
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;

  constructor(file: string) {
    // With a channel, as of a program that runs it: `up` ends when that is gone.
    this.child = fork(cliEntry, ["up", "-f", file, "--json"], {
      stdio: ["ignore", "pipe", "ignore", "ipc"],
    });
    children.add(this.child);
    createInterface({ input: this.child.stdout! }).on("line", (line) => {
      this.events.push(JSON.parse(line) as UpEvent);
    });
    this.ended = once(this.child, "exit").then(([code]) => code as number | null);
  }

  /** Process id of each proxy that serves now. */
  get serving(): ReadonlyMap<string, number> {
    const now = new Map<string, number>();
    for (const { event, instance, pid, state } of this.events) {
      if (event === "report" && state === "serving") now.set(instance, pid);
      else if (event !== "report" || state !== "starting") now.delete(instance);
    }
    return now;
  }

  get pids(): number[] {
    return [...new Set(this.events.map(({ pid }) => pid))];
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // ESRCH: nobody has this pid.
    return false;
  }
}

async function allGone(up: Up): Promise<void> {
  await until("no proxy left", () => !up.pids.some(lives));
}

test("up runs the example's proxies, starts a killed one again; status; work --exec acks, nacks, rejects; dlq show", async () => {
  const topic = "orders";
  const file = await resource(topic);
  const up = new Up(file);
  await until("two proxies serving", () => up.serving.size === 2);

  const killed = up.serving.get("orders-1")!;
  process.kill(killed, "SIGKILL");
  await until("orders-1 serving again", () => {
    const pid = up.serving.get("orders-1");
    return pid !== undefined && pid !== killed;
  });
  const end = up.events.find(({ event, pid }) => event === "ended" && pid === killed);
  assert.equal(end?.signal, "SIGKILL");
  assert.ok(end.restartInMs !== undefined);

  await world.kafka.produce(topic, [
    { partition: 0, key: "a", value: "good" },
    { partition: 0, key: "b", value: "reject" },
    { partition: 1, key: "c", value: "good" },
    { partition: 1, key: "d", value: "fail \u001b[31m" },
    { partition: 1, key: "e", value: "once more" },
  ]);
  const command = [
    "payload=$(cat)",
    'echo "$KAFKAPROXY_MSG_ID $KAFKAPROXY_ATTEMPT $KAFKAPROXY_KEY"',
    'case "$payload" in good) exit 0;; reject) exit 65;; fail*) exit 1;; *) test "$KAFKAPROXY_ATTEMPT" -gt 1;; esac',
  ].join("; ");
  const worker = start([
    "--json",
    "work",
    `--exec=${command}`,
    "--reject-code=65",
    "--concurrency=3",
    ...workerOptions(topic),
  ]);
  const dead = "orders:1:1";
  const found = async () => (await kafkaproxy("dlq", "show", dead, "-f", file)).code === 0;
  await until("5 deliveries of the failing one", () => worker.stdout.includes(`${dead} 5 d`));
  await until("its dead letter", found);
  worker.child.kill("SIGINT");
  const worked = await worker.ended;
  assert.equal(worked.code, 0, worked.stderr);
  // 5 failures of one, 1 of the one that succeeds at the second attempt.
  assert.deepEqual(JSON.parse(worked.stdout.trim().split("\n").at(-1)!), {
    acked: 3,
    nacked: 6,
    rejected: 1,
  });
  assert.match(worked.stdout, /^orders:1:2 2 e$/mu);
  assert.match(worked.stderr, /^orders:0:1 attempt 1: exit code 65$/mu);

  // Found: for people, with the terminal's orders made harmless; as JSON, by a resource and by options.
  const shown = await kafkaproxy("dlq", "show", dead, "-f", file);
  assert.match(shown.stdout, /^disposition +deliveries-exhausted$/mu);
  assert.match(shown.stdout, /^value +fail \\u001b\[31m$/mu);
  assert.match(shown.stdout, /^lies at +orders-dlq, partition 1, offset 0$/mu);
  assert.ok(!shown.stdout.includes("\u001b"), "no colours where there is no terminal");
  const target = ["--kafka", world.kafka.bootstrapServers.join(","), ...workerOptions(topic)];
  const rejected = await kafkaproxy("dlq", "show", "orders:0:1", ...target, "--json");
  const letter = JSON.parse(rejected.stdout);
  assert.equal(letter.disposition, "rejected");
  assert.deepEqual(letter.value, { text: "reject" });
  assert.deepEqual(letter.deadLetter, { topic: "orders-dlq", partition: 0, offset: 0 });

  // Not found, malformed: words on standard error, nothing on standard output.
  for (const [msgId, code] of [
    ["orders:0:0", 3],
    ["orders:1:99999", 3],
    ["other:0:1", 3],
    ["orders:0", 2],
    ["orders:0:x", 2],
  ] as const) {
    const answer = await kafkaproxy("dlq", "show", msgId, "-f", file);
    assert.equal(answer.code, code, `${msgId}: ${answer.stderr}`);
    assert.equal(answer.stdout, "");
    assert.match(answer.stderr, /^kafkaproxy: .{20,}/u);
  }

  // What can be said of a msgId without asking is said while nobody can be asked.
  const nowhere = ["--kafka", "127.0.0.1:1", "--zookeeper", "127.0.0.1:1", "--group", "billing"];
  for (const [msgId, code] of [
    ["orders:0", 2],
    ["other:0:1", 3],
  ] as const) {
    const answer = await kafkaproxy("dlq", "show", msgId, ...nowhere, "--topic", "orders");
    assert.equal(answer.code, code, `${msgId}: ${answer.stderr}`);
  }

  await until("lag 0 in status", async () => {
    const status = await kafkaproxy("--json", "status", "-f", file);
    assert.equal(status.code, 0, status.stderr);
    const { proxies, lag, deadLetters, partitions } = JSON.parse(status.stdout);
    assert.deepEqual(
      proxies.map(({ instance }: { instance: string }) => instance),
      ["orders-0", "orders-1"],
    );
    assert.equal(partitions.length, 2);
    assert.deepEqual(deadLetters, { topic: "orders-dlq", retained: 2 });
    return lag === 0;
  });
  const people = await kafkaproxy("status", "-f", file);
  assert.match(people.stdout, /^orders for group billing, namespace shop\nlag 0, dead letters 2/u);
  assert.match(people.stdout, /^orders-0 +127\.0\.0\.1:\d+ +no +20/mu);

  up.child.kill("SIGTERM");
  assert.equal(await up.ended, 0);
  const ends = up.events.filter(({ event }) => event === "ended").slice(-2);
  assert.deepEqual(
    ends.map(({ code }) => code),
    [0, 0],
    "they drained",
  );
  await allGone(up);
});

test("up: a second Ctrl-C ends proxies that still wait for workers; one whose starter is gone ends by itself", async () => {
  const topic = "impatient";
  const file = await resource(topic);
  const up = new Up(file);
  await until("two proxies serving", () => up.serving.size === 2);
  await world.kafka.produce(topic, [{ partition: 0, value: "takes its time" }]);
  // The command outlives the first Ctrl-C of its worker too, and is ended by the second.
  const worker = start(["work", "--exec", "echo begun; sleep 1000", ...workerOptions(topic)]);
  await until("a message being worked on", () => worker.stdout.includes("begun"));
  up.child.kill("SIGINT");
  await until("draining", () => up.events.some(({ state }) => state === "draining"));
  up.child.kill("SIGINT");
  assert.notEqual(await up.ended, 0);
  await allGone(up);

  const orphan = new Up(file);
  await until("two proxies serving again", () => orphan.serving.size === 2);
  worker.child.kill("SIGINT");
  await until("the worker drains", () => worker.stderr.includes("draining"));
  worker.child.kill("SIGINT");
  const { code, stdout } = await worker.ended;
  assert.equal(code, 0);
  assert.match(stdout, /acked 0, nacked 1, rejected 0/u);

  orphan.child.disconnect();
  assert.equal(await orphan.ended, 0);
  await allGone(orphan);
});

test("a command that is ended because its lease is lost has not done its work: never acked, a dead letter in the end", async () => {
  const scene = await world.scene("too-long", {
    partitions: 1,
    replicas: 1,
    settings: {
      namespace: "shop",
      delivery: { ackTimeout: "1s", maxProcessingTime: "1s", maxDeliveries: 2 },
    },
  });
  const options = [
    `--zookeeper=${world.zookeeper.connectString}`,
    "--namespace=shop",
    `--topic=${scene.topic}`,
    `--group=${scene.group}`,
  ];
  const proxy = scene.proxy(0);
  await proxy.serving();
  const worker = start(["work", "--exec", "sleep 1000", ...options]);
  try {
    await world.kafka.produce(scene.topic, [{ partition: 0, value: "longer than it may take" }]);
    await until("settled", async () => (await scene.lag()) === 0);
    assert.equal(await proxy.metric("kafkaproxy_acks_total"), 0);
    assert.equal(await proxy.metric("kafkaproxy_dead_letters_total"), 1);
    worker.child.kill("SIGTERM");
    assert.match((await worker.ended).stdout, /acked 0, nacked 0, rejected 0/u);
  } finally {
    worker.child.kill("SIGKILL");
    await scene.close();
  }
});

test("servers that can't be reached: exit code 4, and which ones", async () => {
  const [port = 0] = await freePorts(1);
  const nowhere = `127.0.0.1:${port}`;
  const target = ["--topic", "orders", "--group", "billing"];
  const kafka = world.kafka.bootstrapServers.join(",");
  const [noKafka, noZooKeeper, noWork] = await Promise.all([
    kafkaproxy(
      "status",
      "--kafka",
      nowhere,
      "--zookeeper",
      world.zookeeper.connectString,
      ...target,
    ),
    kafkaproxy("dlq", "show", "orders:0:0", "--kafka", kafka, "--zookeeper", nowhere, ...target),
    kafkaproxy("work", "--exec", "true", "--zookeeper", nowhere, ...target),
  ]);
  assert.equal(noKafka.code, 4, noKafka.stderr);
  assert.ok(noKafka.stderr.startsWith(`kafkaproxy: Kafka at ${nowhere}`), noKafka.stderr);
  assert.equal(noZooKeeper.code, 4, noZooKeeper.stderr);
  assert.ok(noZooKeeper.stderr.startsWith(`kafkaproxy: ZooKeeper at ${nowhere}`));
  assert.equal(noWork.code, 4, noWork.stderr);
  assert.match(noWork.stderr, /ZooKeeper/u);
});

test("a bad resource, configuration or command line: everything at once, exit code 2, nothing is started", async () => {
  const file = join(folder, "bad.yaml");
  writeFileSync(
    file,
    [
      "apiVersion: kafkaproxy.dev/v1alpha1",
      "kind: KafkaProxy",
      "metadata: { name: Orders }",
      "spec:",
      "  replicas: many",
      "  instance: mine",
      "  topic: or/ders",
      "  kafka: { bootstrapServer: localhost:9092 }",
      "  zookeeper: { servers: localhost:2181 }",
      "  delivery: { ackTimeout: soon }",
    ].join("\n"),
  );
  for (const command of ["up", "status"]) {
    const { code, stdout, stderr } = await kafkaproxy(command, "-f", file);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
    for (const problem of [
      /metadata\.name: found "Orders"/u,
      /spec\.replicas: found "many"/u,
      /spec\.instance: /u,
      /spec\.topic: found "or\/ders"/u,
      /spec\.consumerGroup: found /u,
      /spec\.kafka\.bootstrapServer\b.*bootstrapServers/u,
      /spec\.delivery\.ackTimeout: found "soon"/u,
    ]) {
      assert.match(stderr, problem);
    }
  }
  const serve = join(folder, "bad-proxy.yaml");
  writeFileSync(serve, "topic: orders\nlistener: { port: 99999999 }\n");
  const serving = await kafkaproxy("serve", "--config", serve);
  assert.equal(serving.code, 2);
  for (const key of ["consumerGroup", "kafka.bootstrapServers", "listener.port"]) {
    assert.ok(serving.stderr.includes(`${key}: found `), serving.stderr);
  }
  const nothing = await kafkaproxy("status");
  assert.equal(nothing.code, 2);
  for (const option of ["--topic", "--group", "--kafka", "--zookeeper"]) {
    assert.ok(nothing.stderr.includes(`${option}: `), nothing.stderr);
  }
  for (const args of [
    ["work", "--exec", "true", "-c", "0"],
    ["work"],
    ["work", "--exec", "true"],
    ["up"],
    ["up", "-f", join(folder, "none.yaml")],
    ["nonsense"],
    ["status", "--nonsense"],
    ["dlq", "show"],
    [],
  ]) {
    const { code, stderr } = await kafkaproxy(...args);
    assert.equal(code, 2, `${args.join(" ")}: ${stderr}`);
    assert.notEqual(stderr, "");
  }
});

test("a command line that can't be read is told as every other error, exit code 2", async () => {
  const answers = await Promise.all([kafkaproxy("wrok"), kafkaproxy("work")]);
  assert.deepEqual(
    answers.map(({ code, stderr }) => [code, stderr.trim()]),
    [
      [2, "kafkaproxy: unknown command 'wrok'\n(Did you mean work?)"],
      [2, "kafkaproxy: required option '--exec <command>' not specified"],
    ],
  );
});

test("--help of every command, with its exit codes", async () => {
  for (const command of ["", "serve", "operator", "up", "status", "dlq", "dlq show", "work"]) {
    const args = command === "" ? [] : command.split(" ");
    const { code, stdout, stderr } = await kafkaproxy(...args, "--help");
    assert.equal(code, 0);
    assert.equal(stderr, "");
    assert.ok(stdout.startsWith(`Usage: kafkaproxy ${command}`.trim()), stdout);
    assert.match(stdout, /--json/u);
    assert.match(stdout, /^Exit codes: 0 done/mu);
  }
  const { stdout } = await kafkaproxy("--version");
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/u);
});
