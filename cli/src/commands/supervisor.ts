import { type ChildProcess, fork } from "node:child_process";
import type { ProxyReport } from "@kafkaproxy/proxy";

export interface SupervisedProxy {
  readonly instance: string;
  /** Path of its configuration file. */
  readonly configFile: string;
}

export type SupervisorEvent =
  | { readonly event: "started"; readonly instance: string; readonly pid: number }
  | ({ readonly event: "report"; readonly instance: string; readonly pid: number } & ProxyReport)
  | {
      readonly event: "ended";
      readonly instance: string;
      readonly pid: number;
      readonly code: number | null;
      readonly signal: string | null;
      /** Undefined when it is not started again. */
      readonly restartInMs: number | undefined;
    };

export interface Supervisor {
  /** SIGTERM to all (they drain), resolves when the last has ended. Again: SIGKILL. */
  stop(): Promise<void>;
  /** Resolves to the worst exit code when no proxy runs any more. */
  readonly finished: Promise<number>;
}

const restartDelayMs = { first: 500, longest: 30_000 };
/** A proxy that lived this long starts its restart delays afresh. */
const healthyAfterMs = 60_000;

/**
 * Runs one process a proxy and starts again what dies, as a StatefulSet would.
 * A proxy that ends with code 0 was stopped on purpose, one with code 2 has a bad configuration: neither is started again.
 */
export function supervise(
  proxies: readonly SupervisedProxy[],
  entry: string,
  onEvent: (event: SupervisorEvent) => void,
): Supervisor {
  const running = new Map<SupervisedProxy, ChildProcess>();
  const waiting = new Map<SupervisedProxy, NodeJS.Timeout>();
  /** Told by somebody else already: told again it would end at once. */
  const draining = new Set<ChildProcess>();
  let stopping = false;
  let worst = 0;
  const { promise: finished, resolve } = Promise.withResolvers<number>();

  const finishWhenIdle = () => {
    if (running.size === 0 && waiting.size === 0) resolve(worst);
  };

  const start = (proxy: SupervisedProxy, delayMs: number) => {
    const startedAt = performance.now();
    const child = fork(entry, ["serve", "--config", proxy.configFile], {
      // Its log goes to our standard error: standard output is for our results.
      stdio: ["ignore", 2, 2, "ipc"],
      // A process group of its own: Ctrl-C on the terminal is for us, who drain it. When we die it notices the closed channel.
      detached: true,
    });
    const pid = child.pid ?? -1;
    running.set(proxy, child);
    onEvent({ event: "started", instance: proxy.instance, pid });
    child.on("message", (report: ProxyReport) => {
      if (report.state === "draining") draining.add(child);
      onEvent({ ...report, event: "report", instance: proxy.instance, pid });
    });
    const end = (code: number | null, signal: string | null) => {
      if (!running.has(proxy)) return;
      running.delete(proxy);
      draining.delete(child);
      const again = !stopping && code !== 0 && code !== 2;
      const nextMs =
        performance.now() - startedAt > healthyAfterMs ? restartDelayMs.first : delayMs;
      onEvent({
        event: "ended",
        instance: proxy.instance,
        pid,
        code,
        signal,
        restartInMs: again ? nextMs : undefined,
      });
      if (again) {
        const timer = setTimeout(() => {
          waiting.delete(proxy);
          start(proxy, Math.min(nextMs * 2, restartDelayMs.longest));
        }, nextMs);
        waiting.set(proxy, timer);
      } else {
        worst = Math.max(worst, code ?? 1);
      }
      finishWhenIdle();
    };
    child.once("exit", end);
    // It could not be started at all (no memory, no processes left): tried again like a death.
    child.once("error", () => end(1, null));
  };

  for (const proxy of proxies) start(proxy, restartDelayMs.first);
  finishWhenIdle();

  return {
    finished,
    async stop() {
      const signal = stopping ? "SIGKILL" : "SIGTERM";
      stopping = true;
      for (const timer of waiting.values()) clearTimeout(timer);
      waiting.clear();
      for (const child of running.values()) {
        if (signal === "SIGKILL" || !draining.has(child)) child.kill(signal);
      }
      finishWhenIdle();
      await finished;
    },
  };
}
