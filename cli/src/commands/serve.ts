import { loadConfig, runProxy } from "@kafkaproxy/proxy";

function drain(): void {
  process.kill(process.pid, "SIGTERM");
}

/**
 * Runs one proxy until it is told to stop.
 * Under `up` each change of state goes to the parent, and the proxy drains when the parent is gone.
 * @returns the exit code. @throws ConfigError before anything is started.
 */
export async function serve(configFile: string, environment: NodeJS.ProcessEnv): Promise<number> {
  const config = await loadConfig(configFile, environment);
  const follow = { file: configFile, environment };
  const send = process.send?.bind(process);
  if (send === undefined) return await runProxy(config, { follow });
  process.once("disconnect", drain);
  try {
    // A parent that is gone can't be told: the "disconnect" event drains us.
    return await runProxy(config, {
      follow,
      report: (report) => void send(report, () => undefined),
    });
  } finally {
    process.off("disconnect", drain);
    if (process.connected) process.disconnect();
  }
}
