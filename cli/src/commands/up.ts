import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { CliError, exitCodes } from "../cli-error.ts";
import type { Output } from "../output/index.ts";
import { type KafkaProxyResource, proxySettings } from "../resource/index.ts";
import { type SupervisedProxy, supervise, type SupervisorEvent } from "./supervisor.ts";

/**
 * Ports on a machine that several proxies share: a free one each, found by clients through ZooKeeper.
 * The resource's own ports are for pods, which have an address each.
 */
function onThisMachine(settings: Record<string, unknown>): Record<string, unknown> {
  const part = (key: string) => (settings[key] ?? {}) as Record<string, unknown>;
  const { advertisedHost: _host, advertisedPort: _port, ...listener } = part("listener");
  return {
    ...settings,
    listener: { ...listener, host: "127.0.0.1", port: 0 },
    admin: { ...part("admin"), host: "127.0.0.1", port: 0 },
  };
}

function describe(event: SupervisorEvent, output: Output): string {
  const name = output.paintNote("bold", event.instance);
  if (event.event === "started") return `${name} started, pid ${event.pid}`;
  if (event.event === "report") {
    return event.address === undefined
      ? `${name} ${event.state}`
      : `${name} ${event.state}, workers on ${event.address}, admin on http://${event.adminAddress}`;
  }
  const how = event.signal ?? `exit code ${event.code}`;
  return event.restartInMs === undefined
    ? `${name} ended (${how})`
    : `${name} ${output.paintNote("yellow", `died (${how})`)}, starting again in ${event.restartInMs} ms`;
}

/**
 * Runs the proxies of the resources on this machine until `stop` is aborted; then they drain.
 * `stopNow` ends them at once.
 * @returns the exit code.
 */
export async function up(
  resources: readonly KafkaProxyResource[],
  file: string,
  entry: string,
  output: Output,
  signals: { readonly stop: AbortSignal; readonly stopNow: AbortSignal },
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "kafkaproxy-up-"));
  try {
    const proxies = resources.flatMap((resource) =>
      Array.from({ length: resource.replicas }, (_, ordinal): SupervisedProxy => {
        const text = stringify(onThisMachine(proxySettings(resource, ordinal)));
        const configFile = join(folder, `${resource.namespace}-${resource.name}-${ordinal}.yaml`);
        writeFileSync(configFile, text, { mode: 0o600 });
        return { instance: `${resource.name}-${ordinal}`, configFile };
      }),
    );
    if (proxies.length === 0) {
      throw new CliError(exitCodes.usage, `${file}: spec.replicas is 0: there is nothing to run`);
    }
    for (const { name, notes } of resources) {
      for (const note of notes) output.note(`${output.paint("bold", name)}: ${note}`);
    }
    const supervisor = supervise(proxies, entry, (event) => {
      if (output.json) output.result(event, "");
      else output.note(describe(event, output));
    });
    const ask = () => void supervisor.stop();
    if (signals.stop.aborted) ask();
    signals.stop.addEventListener("abort", ask, { once: true });
    signals.stopNow.addEventListener("abort", ask, { once: true });
    return await supervisor.finished;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
