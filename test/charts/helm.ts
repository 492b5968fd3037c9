// Helm on our chart, with nothing of the user's own settings.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { program } from "../servers/kubernetes/index.ts";

export const chart = join(import.meta.dirname, "../../charts/kafka-proxy");
export const olderChart = join(import.meta.dirname, "older-chart");

export interface HelmResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Helm {
  /** Runs it to its end; a failure is its exit code. */
  run(...args: string[]): Promise<HelmResult>;
  /** Gives what it prints. Throws what it says when it fails. */
  succeeds(...args: string[]): Promise<string>;
  close(): void;
}

/** @param kubeconfig without one it reaches no cluster. */
export async function startHelm(kubeconfig = "/dev/null"): Promise<Helm> {
  const path = await program("helm");
  const home = mkdtempSync(join(tmpdir(), "kafkaproxy-helm-"));
  const env = {
    PATH: process.env["PATH"],
    HOME: home,
    KUBECONFIG: kubeconfig,
    HELM_CACHE_HOME: home,
    HELM_CONFIG_HOME: home,
    HELM_DATA_HOME: home,
  };
  const run = (...args: string[]) =>
    new Promise<HelmResult>((resolve) => {
      const options = { env, maxBuffer: 64 * 1024 * 1024, timeout: 120_000 };
      execFile(path, args, options, (error, stdout, stderr) => {
        const exitCode = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ exitCode, stdout, stderr });
      });
    });
  return {
    run,
    succeeds: async (...args) => {
      const { exitCode, stdout, stderr } = await run(...args);
      if (exitCode !== 0) throw new Error(`helm ${args.join(" ")}: ${stderr}`);
      return stdout;
    },
    close: () => rmSync(home, { recursive: true, force: true }),
  };
}
