import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

/** What is read when the metrics are asked for. */
export interface MetricsSources {
  readonly leading: () => boolean;
  readonly resources: () => number;
  readonly queue: () => { readonly depth: number; readonly failing: number };
}

/** The operator's metrics, for Prometheus. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #reconciles: Counter<"result">;
  readonly #durations: Histogram;
  readonly #requests: Counter<"verb">;

  constructor(sources: MetricsSources) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    this.#reconciles = new Counter({
      name: "kafkaproxy_operator_reconciles_total",
      help: "Passes over a resource, by how they ended: done, waiting, again, failed.",
      labelNames: ["result"],
      registers,
    });
    this.#durations = new Histogram({
      name: "kafkaproxy_operator_reconcile_duration_seconds",
      help: "How long a pass over a resource takes.",
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
      registers,
    });
    this.#requests = new Counter({
      name: "kafkaproxy_operator_writes_total",
      help: "Requests that ask the API server to write.",
      labelNames: ["verb"],
      registers,
    });
    const gauge = (name: string, help: string, read: () => number): void => {
      const made: Gauge = new Gauge({
        name,
        help,
        registers: [],
        collect: () => made.set(read()),
      });
      this.#registry.registerMetric(made);
    };
    gauge("kafkaproxy_operator_leader", "1 while this operator leads.", () =>
      sources.leading() ? 1 : 0,
    );
    gauge("kafkaproxy_operator_resources", "KafkaProxy resources that are followed.", () =>
      sources.resources(),
    );
    gauge(
      "kafkaproxy_operator_queue_depth",
      "Resources that wait to be looked at.",
      () => sources.queue().depth,
    );
    gauge(
      "kafkaproxy_operator_queue_failing",
      "Resources whose last passes failed.",
      () => sources.queue().failing,
    );
  }

  reconciled(result: string, durationMs: number): void {
    this.#reconciles.inc({ result });
    this.#durations.observe(durationMs / 1_000);
  }

  wrote(verb: string): void {
    this.#requests.inc({ verb });
  }

  async text(): Promise<string> {
    return await this.#registry.metrics();
  }
}
