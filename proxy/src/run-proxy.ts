import type { Logger } from "@kafkaproxy/kafka";
import { pino } from "pino";
import { ConfigWatch } from "./config-watch.ts";
import type { Environment, ProxyConfig } from "./config/index.ts";
import { Proxy, type ProxyState } from "./proxy.ts";
import { within } from "./within.ts";

/** What a proxy's process says to whoever started it. */
export interface ProxyReport {
  readonly state: ProxyState;
  /** `host:port`, once it listens. */
  readonly address?: string;
  readonly adminAddress?: string;
}

export interface RunProxyOptions {
  /** Default: pino's JSON lines on standard output, at the configured level. */
  readonly logger?: Logger;
  /** The file that `config` comes from: `paused` in it is followed. Default: nothing is. */
  readonly follow?: { readonly file: string; readonly environment: Environment } | undefined;
  /** Called at every change of state. */
  readonly report?: (report: ProxyReport) => void;
}

/** 0: drained and stopped. 1: it failed, or was told to end at once. */
export type ProxyExitCode = 0 | 1;

const reportMs = 50;
/** What "at once" leaves for telling workers and ZooKeeper; nobody waits for a Kafka that does not answer. */
const atOnceMs = 500;

/**
 * Runs a proxy in this process until it is told to stop. The first SIGTERM or SIGINT drains it, the second
 * ends it at once. Resolves with the exit code; the caller ends the process: told twice, something may still be
 * under way.
 */
export async function runProxy(
  config: ProxyConfig,
  options: RunProxyOptions = {},
): Promise<ProxyExitCode> {
  const logger =
    options.logger ?? pino({ level: config.log.level, base: { instance: config.instance } });
  const proxy = new Proxy(config, { logger });
  const ask = Promise.withResolvers<void>();
  const insist = Promise.withResolvers<"now">();
  let asked = 0;
  const signalled = (signal: NodeJS.Signals): void => {
    asked++;
    logger.info({ signal }, asked === 1 ? "told to stop" : "told again: ending at once");
    if (asked === 1) ask.resolve();
    else insist.resolve("now");
  };
  process.on("SIGTERM", signalled);
  process.on("SIGINT", signalled);
  let reported: string | undefined;
  const report = (): void => {
    if (reported === proxy.state) return;
    reported = proxy.state;
    options.report?.(reportOf(proxy));
  };
  const reporter = setInterval(report, reportMs);
  const watch =
    options.follow === undefined
      ? undefined
      : new ConfigWatch({
          ...options.follow,
          logger,
          onPaused: (paused) => {
            proxy.setPaused(paused);
          },
        });
  try {
    await proxy.start();
    await watch?.start();
    await Promise.race([ask.promise, proxy.ended]);
    const ending = proxy.state === "failed" ? proxy.close() : proxy.drain();
    const how = await Promise.race([ending, insist.promise]);
    if (how === "now") await within(proxy.close(), atOnceMs);
    report();
    return proxy.state === "failed" || how === "now" ? 1 : 0;
  } catch (error) {
    // What start() met is in the log already.
    if (proxy.state !== "failed") logger.error({ err: error }, "the proxy ends");
    await proxy.close();
    report();
    return 1;
  } finally {
    clearInterval(reporter);
    watch?.close();
    process.off("SIGTERM", signalled);
    process.off("SIGINT", signalled);
  }
}

function reportOf(proxy: Proxy): ProxyReport {
  try {
    const { address, adminAddress } = proxy;
    return {
      state: proxy.state,
      address: `${address.host}:${address.port}`,
      adminAddress: `${adminAddress.host}:${adminAddress.port}`,
    };
  } catch {
    // Not listening yet: there is no address to tell.
    return { state: proxy.state };
  }
}
