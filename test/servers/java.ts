// Kafka's own programs and our small Java sources, run from the downloaded jars.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { classPath, homeOf, once } from "./jars.ts";
import { need } from "./machine.ts";

const sources = join(import.meta.dirname, "java");

export interface ProgramOptions {
  /** Given to its standard input, which is closed then. */
  readonly stdin?: string | Buffer;
  /** Default 120 s; then it is killed and the call rejects. */
  readonly timeoutMs?: number;
  readonly jvmArgs?: readonly string[];
  /** Default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program to its end. Rejects when it can't be started or does not end in time; a failure is its exit code. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const timeoutMs = options.timeoutMs ?? 120_000;
  return new Promise((resolve, reject) => {
    const { env = process.env, cwd = process.cwd() } = options;
    const child = spawn(command, args, { stdio: "pipe", env, cwd });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${command} ${args.join(" ")} did not end in ${timeoutMs} ms`));
    }, timeoutMs);
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.stdin.on("error", () => undefined); // it ended before it read everything: its exit code says why
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      const stderr = Buffer.concat(err).toString();
      resolve({ exitCode: code ?? -1, stdout: Buffer.concat(out), stderr });
    });
    child.stdin.end(options.stdin ?? "");
  });
}

/** Compiles `java/<name>.java` against Kafka's jars, once for each version of the source; gives the class path to run it. */
async function compiled(name: string): Promise<string> {
  const source = join(sources, `${name}.java`);
  const hash = createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 12);
  const libs = await classPath("kafka");
  const classes = join(homeOf("kafka"), `${name}-${hash}`);
  await once(classes, async (folder) => {
    const { exitCode, stderr } = await runProgram("javac", ["-cp", libs, "-d", folder, source]);
    if (exitCode !== 0) throw new Error(`${source} does not compile:\n${stderr}`);
  });
  return classes + delimiter + libs;
}

export const quickStart = [
  "-XX:TieredStopAtLevel=1",
  "-XX:+UseSerialGC",
  "-Dorg.slf4j.simpleLogger.showDateTime=true",
] as const;

/** The `java` arguments that run `mainClass`: one of ours in `java/`, or any class of Kafka's jars. */
export async function javaCommand(
  mainClass: string,
  args: readonly string[],
  jvmArgs: readonly string[] = [],
): Promise<string[]> {
  const ours = existsSync(join(sources, `${mainClass}.java`));
  const path = ours ? await compiled(mainClass) : await classPath("kafka");
  return [...quickStart, ...jvmArgs, "-cp", path, mainClass, ...args];
}

/**
 * Runs one of Kafka's own tools (`kafka.tools.StorageTool`, `org.apache.kafka.tools.ConsumerGroupCommand`, …) or a class
 * of ours in `test/servers/java/`. Only warnings are logged, on stderr.
 */
export async function runJava(
  mainClass: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const quiet = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", ...(options.jvmArgs ?? [])];
  return runProgram("java", await javaCommand(mainClass, args, quiet), options);
}

/** Runs Debian's kcat, a client on librdkafka. */
export async function kcat(
  args: readonly string[],
  stdin?: string | Buffer,
): Promise<ProgramResult> {
  await need("kcat");
  return runProgram("kcat", args, stdin === undefined ? {} : { stdin });
}
