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

/** Runs a command a message until `stop` is aborted, then lets the running ones finish. */
export async function work(options: WorkOptions, output: Output, stop: AbortSignal): Promise<void> {
  const proxy = await connect(options.connect);
  const worker = proxy.work(
    async (message, { signal }) => {
      const { code, signal: ended } = await execute(options.exec, message, signal);
      if (code === 0 || signal.aborted) return;
      const reason = ended === null ? `exit code ${code}` : `ended by ${ended}`;
      output.note(`${message.msgId} attempt ${message.attempt}: ${reason}`);
      if (code !== null && code === options.rejectCode) message.reject(reason);
      else throw new CliError(exitCodes.failed, reason);
    },
    { concurrency: options.concurrency },
  );
  output.note(`working; ${proxy.proxies.length} proxies known`);
  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    else stop.addEventListener("abort", () => resolve(), { once: true });
  });
  output.note("draining");
  await worker.drain();
  await proxy.close();
  const { acked, nacked, rejected } = worker.stats;
  output.result(
    { acked, nacked, rejected },
    `acked ${acked}, nacked ${nacked}, rejected ${rejected}`,
  );
}
