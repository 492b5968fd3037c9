import { KubeError, runOperator } from "@kafkaproxy/operator";
import { CliError, exitCodes } from "../cli-error.ts";

/** The options of `kafkaproxy operator` as they are written. */
export interface OperatorArguments {
  readonly image: string;
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  readonly namespace?: string;
  readonly leaderElect: boolean;
  readonly lease?: string;
  readonly admin: { readonly host: string; readonly port: number };
  readonly logLevel: string;
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** Runs the operator until it is told to stop. Returns the exit code. */
export async function operate(
  options: OperatorArguments,
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  try {
    return await runOperator({ ...options, environment });
  } catch (error) {
    if (!(error instanceof KubeError)) throw error;
    throw new CliError(exitCodes.usage, error.message, { cause: error });
  }
}
