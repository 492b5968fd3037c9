import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { CliError, exitCodes } from "../cli-error.ts";

/** Which cluster, and as whom: kubectl's own options of these names. */
export interface ClusterOptions {
  readonly context?: string | undefined;
  readonly kubeconfig?: string | undefined;
}

export interface KubectlResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs kubectl, which knows every way of signing in to a cluster. */
export class Kubectl {
  readonly #options: readonly string[];
  readonly #environment: NodeJS.ProcessEnv;

  constructor({ context, kubeconfig }: ClusterOptions, environment: NodeJS.ProcessEnv) {
    this.#options = [
      ...(context === undefined ? [] : [`--context=${context}`]),
      ...(kubeconfig === undefined ? [] : [`--kubeconfig=${kubeconfig}`]),
    ];
    this.#environment = environment;
  }

  /** @throws CliError (unavailable) when there is no kubectl to run. */
  async run(args: readonly string[]): Promise<KubectlResult> {
    const child = spawn("kubectl", [...this.#options, ...args], {
      env: this.#environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = new Promise<number>((resolve, reject) => {
      child.once("error", (cause) => {
        const message = `kubectl can't be run (${cause.message}): install it, or say with -f FILE what is meant`;
        reject(new CliError(exitCodes.unavailable, message, { cause }));
      });
      child.once("close", (code) => resolve(code ?? exitCodes.failed));
    });
    const [exitCode, stdout, stderr] = await Promise.all([
      ended,
      text(child.stdout),
      text(child.stderr),
    ]);
    return { exitCode, stdout, stderr };
  }

  /** What `kubectl get ... -o json` lists. @throws CliError (unavailable) with kubectl's words. */
  async list<T>(...args: readonly string[]): Promise<readonly T[]> {
    const { exitCode, stdout, stderr } = await this.run(["get", ...args, "-o", "json"]);
    if (exitCode !== 0) throw new CliError(exitCodes.unavailable, `kubectl: ${stderr.trim()}`);
    return (JSON.parse(stdout) as { items: T[] }).items;
  }
}
