import { once } from "node:events";
import { type ConnectOptions, connect } from "@kafkaproxy/client";
import { CliError, exitCodes } from "../cli-error.ts";
import type { Output } from "../output/index.ts";
import { execute } from "./execute.ts";

export interface WorkOptions {
  readonly exec: string;
  readonly concurrency: number;
  /** Exit code of the command that sends the message straight to the dead-letter topic. */
  readonly rejectCode?: number;
  readonly connect: ConnectOptions;
}

const longestDrainMs = 30 * 60_000;

/**
 * Runs a command a message until `stop` is aborted, then lets the running ones finish;
 * `stopNow` ends those too and hands their messages back.
 */
export async function work(
  options: WorkOptions,
  output: Output,
  { stop, stopNow }: { readonly stop: AbortSignal; readonly stopNow: AbortSignal },
): Promise<void> {
  const proxy = await connect(options.connect);
  const worker = proxy.work(
    async (message, { signal }) => {
      const { code, signal: ended } = await execute(
        options.exec,
        message,
        AbortSignal.any([signal, stopNow]),
      );
      // A command that was ended has not done its work, whoever ended it: returning would acknowledge that.
      if (code === 0) return;
      const reason = ended === null ? `exit code ${code}` : `ended by ${ended}`;
      output.note(`${message.msgId} attempt ${message.attempt}: ${reason}`);
      if (code !== null && code === options.rejectCode) message.reject(reason);
      else throw new CliError(exitCodes.failed, reason);
    },
    { concurrency: options.concurrency },
  );
  output.note(`working; ${proxy.proxies.length} proxies known`);
  if (!stop.aborted) await once(stop, "abort");
  output.note("draining: running commands finish");
  // As long as a message may be worked on at all; the second Ctrl-C is for who is in a hurry.
  await worker.drain({ timeoutMs: longestDrainMs });
  await proxy.close();
  const { acked, nacked, rejected } = worker.stats;
  output.result(
    { acked, nacked, rejected },
    `acked ${acked}, nacked ${nacked}, rejected ${rejected}`,
  );
}
