import type { Logger } from "@kafkaproxy/kafka";
import { pino } from "pino";
import type { ProxyConfig } from "./config/index.ts";
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
  try {
    await proxy.start();
    await Promise.race([ask.promise, proxy.ended]);
    const ending = proxy.state === "failed" ? proxy.close() : proxy.drain();
    const how = await Promise.race([ending, insist.promise]);
    if (how === "now") await within(proxy.close(), atOnceMs);
    report();
    return proxy.state === "failed" || how === "now" ? 1 : 0;
  } catch {
    // start() has said what is wrong in the log.
    report();
    return 1;
  } finally {
    clearInterval(reporter);
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
