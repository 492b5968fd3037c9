import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Disposition } from "../dispatch/index.ts";
import {
  commitDuration,
  type MetricsEvents,
  type MetricsSources,
  metricsTable,
} from "./metrics-table.ts";

export interface MetricsOptions {
  /** On every metric. */
  readonly labels: { readonly topic: string; readonly group: string };
  /** Read at every scrape. */
  readonly sources: () => MetricsSources;
}

/** The metrics of one proxy, in a registry of its own. What is a state is read when Prometheus asks. */
export class Metrics {
  readonly #options: MetricsOptions;
  readonly #registry = new Registry();
  readonly #events: MetricsEvents = {
    rebalances: 0,
    fences: 0,
    expired: 0,
    deadLetters: new Map(),
  };
  readonly #commits: Histogram;
  readonly #instruments: readonly (Counter | Gauge)[];

  constructor(options: MetricsOptions) {
    this.#options = options;
    const registers = [this.#registry];
    this.#registry.setDefaultLabels({ ...options.labels });
    this.#instruments = metricsTable.map(({ name, help, type, label }) => {
      const labelNames = label === undefined ? [] : [label];
      const settings = { name, help, labelNames, registers };
      return type === "counter" ? new Counter(settings) : new Gauge(settings);
    });
    const { name, help, label, buckets } = commitDuration;
    this.#commits = new Histogram({
      name,
      help,
      labelNames: [label],
      buckets: [...buckets],
      registers,
    });
    collectDefaultMetrics({ register: this.#registry });
  }

  committed(durationMs: number, ok: boolean): void {
    const result = ok ? "ok" : "failed";
    this.#commits.observe({ [commitDuration.label]: result }, durationMs / 1_000);
  }

  rebalanced(): void {
    this.#events.rebalances++;
  }

  fenced(): void {
    this.#events.fences++;
  }

  expired(records: number): void {
    this.#events.expired += records;
  }

  deadLettered(disposition: Disposition): void {
    const { deadLetters } = this.#events;
    deadLetters.set(disposition, (deadLetters.get(disposition) ?? 0) + 1);
  }

  /** In Prometheus' text format, version 0.0.4. */
  async text(): Promise<string> {
    const sources = this.#options.sources();
    for (const [at, metric] of metricsTable.entries()) {
      const instrument = this.#instruments[at];
      // What has gone (a partition, say) must not stand there with its last value.
      instrument?.reset();
      for (const [labelValue, value] of metric.values(sources, this.#events)) {
        instrument?.inc(metric.label === undefined ? {} : { [metric.label]: labelValue }, value);
      }
    }
    return await this.#registry.metrics();
  }
}
