import { readFile } from "node:fs/promises";
import { ClientError } from "@kafkaproxy/client";
import { ConfigError } from "@kafkaproxy/proxy";
import { parseMsgId, WireError } from "@kafkaproxy/wire";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { pino } from "pino";
import { CliError, exitCodes } from "./cli-error.ts";
import {
  operate,
  type OperatorArguments,
  resolveTarget,
  serve,
  showDeadLetter,
  showStatus,
  type TargetOptions,
  up,
  work,
} from "./commands/index.ts";
import { type InClusterOptions, runInCluster } from "./kubectl/index.ts";
import { createOutput, type Output, type OutputStream } from "./output/index.ts";
import { readResources } from "./resource/index.ts";

/** What the program needs of its process. */
export interface ProgramContext {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly environment: NodeJS.ProcessEnv;
  readonly version: string;
  /** Called by kubectl: what is meant is looked for in its cluster if nothing else is said. */
  readonly plugin: boolean;
  /** File to run again for a child process. */
  readonly entry: string;
  /** Aborted by the first SIGINT or SIGTERM, then by the second. */
  readonly stop: AbortSignal;
  readonly stopNow: AbortSignal;
}

const exitCodeHelp = `
Exit codes: 0 done, 1 failed, 2 wrong arguments, configuration or resource, 3 not found,
4 Kafka, ZooKeeper or a proxy could not be reached.`;

const serveHelp = `
The first SIGTERM or SIGINT drains the proxy inside drainTimeout, the second ends it at once.
docs/configuration.md has every key.`;

const upHelp = `
Each proxy is a process with free ports on 127.0.0.1; workers find them through ZooKeeper. One that
dies is started again. The first Ctrl-C drains them, the second ends them at once.
With --json each event is a line: started, report (its state and addresses), ended.`;

const workHelp = `
The command gets the payload on its standard input, and in its environment KAFKAPROXY_MSG_ID, _TOPIC,
_PARTITION, _OFFSET, _ATTEMPT (from 1), _TIMESTAMP, _KEY, and _TOMBSTONE=1 for a message without a value.
Exit code 0 acks; another one hands the message back for another delivery. SIGTERM tells it that the
message is no longer its own. What it prints goes to our standard output and error.
The first Ctrl-C lets running commands finish, the second ends them and hands their messages back.`;

const targetHelp = (command: string): string => `
What is meant is told by a resource, by a proxy's configuration, or by options:
  kafkaproxy ${command} -f kafkaproxy.yaml
  kafkaproxy ${command} --kafka localhost:9092 --zookeeper localhost:2181 --topic orders --group billing
or is looked for in the cluster that kubectl talks to, and the command run beside one of its proxies:
  kubectl kafkaproxy ${command}
  kafkaproxy ${command} --cluster`;

function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(`Allowed: a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

function hostAndPort(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(":");
  const host = text.slice(0, Math.max(0, colon)).replace(/^\[|\]$/gu, "");
  const port = Number(text.slice(colon + 1));
  if (host === "" || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new InvalidArgumentError("Allowed: host:port, such as 0.0.0.0:8081.");
  }
  return { host, port };
}

function withTarget(command: Command): Command {
  return command
    .option("-f, --filename <file>", "file with a KafkaProxy resource")
    .option("--name <name>", "the resource of that name, when the file has several")
    .option("--config <file>", "a proxy's configuration file instead")
    .option("--zookeeper <servers>", "ZooKeeper, host:port,...  [KAFKAPROXY_ZOOKEEPER]")
    .option("--kafka <servers>", "Kafka, host:port,...  [KAFKAPROXY_KAFKA]")
    .option("--root <path>", "root of the registry in ZooKeeper  [KAFKAPROXY_ROOT]")
    .option("-n, --namespace <name>", "namespace  [KAFKAPROXY_NAMESPACE]")
    .option("--topic <topic>", "topic  [KAFKAPROXY_TOPIC]")
    .option("--group <group>", "consumer group  [KAFKAPROXY_CONSUMER_GROUP]")
    .option("--cluster", "look in the cluster (kubectl kafkaproxy does when nothing else is said)")
    .option("-A, --all-namespaces", "look in all namespaces of the cluster")
    .option("--context <name>", "context of the kubeconfig")
    .option("--kubeconfig <file>", "kubeconfig  [KUBECONFIG]");
}

type FindOptions = TargetOptions & InClusterOptions & { readonly cluster?: boolean };

/** What is meant is to be looked for in a cluster. @throws CliError when two places are named. */
function inCluster(options: FindOptions, plugin: boolean): boolean {
  const elsewhere = (["filename", "config", "kafka", "zookeeper", "root"] as const)
    .filter((option) => options[option] !== undefined)
    .map((option) => `--${option}`);
  const cluster = [
    ...(options.cluster === true ? ["--cluster"] : []),
    ...(options.allNamespaces === true ? ["--all-namespaces"] : []),
    ...(options.context === undefined ? [] : ["--context"]),
    ...(options.kubeconfig === undefined ? [] : ["--kubeconfig"]),
  ];
  if (elsewhere.length > 0 && cluster.length > 0) {
    const both = `${cluster.join(", ")} and ${elsewhere.join(", ")}`;
    throw new CliError(exitCodes.usage, `${both} name two places to look at: give one`);
  }
  return elsewhere.length === 0 && (plugin || cluster.length > 0);
}

/** The whole command line. `exitCode` is set by a command that ends by itself with one. */
export function createProgram(context: ProgramContext): Command {
  const program = new Command(context.plugin ? "kubectl kafkaproxy" : "kafkaproxy")
    .description(
      "Any number of workers on a Kafka topic: single messages, acknowledged one by one.",
    )
    .version(context.version)
    .option("--json", "print results as JSON, one a line", false)
    .option("-v, --verbose", "log what connections do, on standard error", false)
    .addHelpText("afterAll", exitCodeHelp)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /u, "kafkaproxy: ")),
    });
  const output = (): Output =>
    createOutput(context, program.opts<{ json: boolean }>().json, context.environment);
  const beside = async (options: InClusterOptions, ...command: string[]): Promise<void> => {
    const { json, verbose } = program.opts<{ json: boolean; verbose: boolean }>();
    const args = [...(json ? ["--json"] : []), ...(verbose ? ["--verbose"] : []), ...command];
    const { exitCode, stdout, stderr } = await runInCluster(options, args, context.environment);
    context.stderr.write(stderr);
    context.stdout.write(stdout);
    process.exitCode = exitCode;
  };
  const logger = () =>
    pino(
      { level: program.opts<{ verbose: boolean }>().verbose ? "debug" : "silent" },
      context.stderr,
    );

  program
    .command("serve")
    .description("run one proxy until SIGTERM, which drains it: what a container runs")
    .requiredOption("--config <file>", "YAML, or the original system's .properties")
    .addHelpText("after", serveHelp)
    .action(async ({ config }: { config: string }) => {
      process.exitCode = await serve(config, context.environment);
    });

  program
    .command("operator")
    .description("run the Kubernetes operator until SIGTERM: what a container runs")
    .requiredOption("--image <image>", "image of the proxies that it starts")
    .addOption(
      new Option("--image-pull-policy <policy>", "of that image").choices([
        "Always",
        "IfNotPresent",
        "Never",
      ]),
    )
    .option("-n, --namespace <name>", "watch this namespace only")
    .option("--leader-elect", "of several operators let one work", false)
    .option("--lease <name>", "name of the lease that they contend for")
    .option("--admin <host:port>", "where probes and metrics are answered", hostAndPort, {
      host: "127.0.0.1",
      port: 8081,
    })
    .addOption(
      new Option("--log-level <level>", "what is logged")
        .choices(["debug", "info", "warn", "error"])
        .default("info"),
    )
    .option("--kubeconfig <file>", "how to reach the API server from outside  [KUBECONFIG]")
    .option("--context <name>", "context of the kubeconfig")
    .action(async (options: OperatorArguments) => {
      process.exitCode = await operate(options, context.environment);
    });

  program
    .command("up")
    .description("run the proxies of KafkaProxy resources on this machine until Ctrl-C")
    .requiredOption("-f, --filename <file>", "file with KafkaProxy resources")
    .addHelpText("after", upHelp)
    .action(async ({ filename }: { filename: string }) => {
      const resources = readResources(await readResourceFile(filename), filename);
      process.exitCode = await up(resources, filename, context.entry, output(), context);
    });

  withTarget(
    program
      .command("status")
      .description("print a group's proxies, lag and dead letters")
      .addHelpText("after", targetHelp("status")),
  ).action(async (options: FindOptions) => {
    if (inCluster(options, context.plugin)) return await beside(options, "status");
    const config = await resolveTarget(options, context.environment);
    await showStatus(config, logger(), output());
  });

  const dlq = program.command("dlq").description("dead letters");
  withTarget(
    dlq
      .command("show")
      .description("print the dead letter of a msgId, and where it lies")
      .argument("<msgId>", "topic:partition:offset")
      .addHelpText("after", targetHelp("dlq show orders:3:1742")),
  ).action(async (msgId: string, options: FindOptions) => {
    if (inCluster(options, context.plugin)) {
      const topic = options.topic ?? topicIn(msgId);
      return await beside({ ...options, topic }, "dlq", "show", msgId);
    }
    const config = await resolveTarget(
      { ...options, topic: options.topic ?? topicOf(msgId, context.environment) },
      context.environment,
    );
    await showDeadLetter(config, msgId, logger(), output());
  });

  program
    .command("work")
    .description("run a command for each message: payload on its standard input, exit code 0 acks")
    .requiredOption("--exec <command>", "command line for /bin/sh, run once for each message")
    .option("-c, --concurrency <n>", "commands at a time", wholeNumber(1, 10_000), 1)
    .option(
      "--reject-code <code>",
      "exit code that means: straight to the dead-letter topic",
      wholeNumber(1, 255),
    )
    .option("--zookeeper <servers>", "ZooKeeper, host:port,...  [KAFKAPROXY_ZOOKEEPER]")
    .option("--root <path>", "root of the registry in ZooKeeper  [KAFKAPROXY_ROOT]")
    .option("-n, --namespace <name>", "namespace  [KAFKAPROXY_NAMESPACE]")
    .option("--topic <topic>", "topic  [KAFKAPROXY_TOPIC]")
    .option("--group <group>", "consumer group  [KAFKAPROXY_CONSUMER_GROUP]")
    .addOption(
      new Option("--mode <mode>", "how messages come  [KAFKAPROXY_MODE]").choices(["pull", "push"]),
    )
    .addHelpText("after", workHelp)
    .action(async (options: WorkArguments) => {
      const { exec, concurrency, rejectCode, group, ...connect } = options;
      await work(
        {
          exec,
          concurrency,
          ...(rejectCode !== undefined && { rejectCode }),
          connect: { ...connect, ...(group !== undefined && { consumerGroup: group }) },
        },
        output(),
        context,
      );
    });
  return program;
}

interface WorkArguments {
  readonly exec: string;
  readonly concurrency: number;
  readonly rejectCode?: number;
  readonly zookeeper?: string;
  readonly root?: string;
  readonly namespace?: string;
  readonly topic?: string;
  readonly group?: string;
  readonly mode?: "pull" | "push";
}

/** A msgId names its topic, so that it need not be said twice. */
function topicOf(msgId: string, environment: NodeJS.ProcessEnv): string {
  return environment["KAFKAPROXY_TOPIC"] ?? msgId.split(":")[0] ?? "";
}

/** @throws CliError (usage) that says how a msgId looks. */
function topicIn(msgId: string): string {
  try {
    return parseMsgId(msgId).topic;
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new CliError(exitCodes.usage, cause.message, { cause });
  }
}

async function readResourceFile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new CliError(exitCodes.usage, `${file} can't be read: ${String(cause)}`, { cause });
  }
}

/** Runs the command line and resolves to its exit code; errors are words on standard error. */
export async function runProgram(
  args: readonly string[],
  context: ProgramContext,
): Promise<number> {
  const program = createProgram(context);
  try {
    await program.parseAsync([...args], { from: "user" });
    return Number(process.exitCode ?? exitCodes.ok);
  } catch (error) {
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const said = error instanceof Error ? error.message : String(error);
    context.stderr.write(`kafkaproxy: ${said}\n`);
    if (error instanceof CliError) return error.exitCode;
    if (error instanceof ConfigError) return exitCodes.usage;
    if (error instanceof ClientError) {
      return error.code === "bad-config" ? exitCodes.usage : exitCodes.unavailable;
    }
    return exitCodes.failed;
  }
}
