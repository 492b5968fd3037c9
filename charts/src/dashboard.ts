// The Grafana dashboard: what one looks at first stands at the top.

interface Target {
  readonly expr: string;
  readonly legend?: string;
}

interface PanelOptions {
  readonly title: string;
  /** What it means, shown on demand. */
  readonly description?: string;
  readonly unit?: string;
  readonly targets: readonly Target[];
}

const selected = `namespace=~"$namespace",topic=~"$topic",group=~"$group"`;
const of = (metric: string, more = "") => `${metric}{${selected}${more}}`;
const rate = (metric: string, more = "") => `rate(${of(metric, more)}[$__rate_interval])`;
const byGroup = (expr: string) => `sum by (namespace, topic, group) (${expr})`;
const groupLegend = "{{topic}} · {{group}}";
const podLegend = "{{pod}}";

const numbers: readonly PanelOptions[] = [
  {
    title: "Lag",
    unit: "short",
    targets: [{ expr: `sum(${of("kafkaproxy_partition_lag_messages")})` }],
  },
  {
    title: "Oldest message",
    description: "Of those in the proxies' memory.",
    unit: "s",
    targets: [{ expr: `max(${of("kafkaproxy_partition_oldest_unsettled_seconds")})` }],
  },
  {
    title: "Dead letters",
    unit: "short",
    targets: [{ expr: `sum(${of("kafkaproxy_dead_letters_retained")})` }],
  },
  {
    title: "Connections of workers",
    unit: "short",
    targets: [{ expr: `sum(${of("kafkaproxy_connections")})` }],
  },
  { title: "Proxies ready", targets: [{ expr: `sum(${of("kafkaproxy_ready")})` }] },
  {
    title: "Partitions stuck",
    description: "One message holds up the committed offset; /status names it.",
    targets: [{ expr: `sum(${of("kafkaproxy_partition_stuck")})` }],
  },
];

const charts: readonly PanelOptions[] = [
  {
    title: "Settled by acks",
    unit: "cps",
    targets: [{ expr: byGroup(rate("kafkaproxy_acks_total")), legend: groupLegend }],
  },
  {
    title: "Lag",
    unit: "short",
    targets: [{ expr: byGroup(of("kafkaproxy_partition_lag_messages")), legend: groupLegend }],
  },
  {
    title: "Where messages are",
    description:
      "In the proxies' memory: waiting for a worker, with workers, waiting for their next delivery, on their way to the dead-letter topic.",
    unit: "short",
    targets: ["ready", "in_flight", "delayed", "dying"].map((state) => ({
      expr: `sum(${of(`kafkaproxy_partition_${state}_messages`)})`,
      legend: state.replace("_", " "),
    })),
  },
  {
    title: "What did not work at once",
    unit: "cps",
    targets: [
      ["redelivered", "kafkaproxy_redeliveries_total"],
      ["leases expired", "kafkaproxy_leases_expired_total"],
      ["nacks", "kafkaproxy_nacks_total"],
      ["rejects", "kafkaproxy_rejects_total"],
    ].map(([legend = "", metric = ""]) => ({ expr: `sum(${rate(metric)})`, legend })),
  },
  {
    title: "Dead letters",
    unit: "cps",
    targets: [
      {
        expr: `sum by (topic, group, disposition) (${rate("kafkaproxy_dead_letters_total")})`,
        legend: `${groupLegend} · {{disposition}}`,
      },
    ],
  },
  {
    title: "Commit time, 99th percentile",
    unit: "s",
    targets: [
      {
        expr: `histogram_quantile(0.99, sum by (pod, le) (${rate("kafkaproxy_commit_duration_seconds_bucket", ',result="ok"')}))`,
        legend: podLegend,
      },
    ],
  },
  {
    title: "Partitions by proxy",
    targets: [{ expr: of("kafkaproxy_partitions"), legend: podLegend }],
  },
  {
    title: "Rebalances and fences",
    targets: [
      {
        expr: `max by (topic, group) (increase(${of("kafkaproxy_rebalances_total")}[$__rate_interval]))`,
        legend: `rebalances · ${groupLegend}`,
      },
      {
        expr: `increase(${of("kafkaproxy_fences_total")}[$__rate_interval])`,
        legend: `fences · ${podLegend}`,
      },
    ],
  },
  {
    title: "Memory of messages",
    unit: "bytes",
    targets: [
      { expr: `sum by (pod) (${of("kafkaproxy_partition_window_bytes")})`, legend: podLegend },
      { expr: of("kafkaproxy_outbound_bytes"), legend: "{{pod}} outbound" },
    ],
  },
  {
    title: "Reached",
    description: "1 while Kafka or ZooKeeper answers.",
    targets: [
      { expr: of("kafkaproxy_kafka_reachable"), legend: "Kafka · {{pod}}" },
      { expr: of("kafkaproxy_zookeeper_reachable"), legend: "ZooKeeper · {{pod}}" },
    ],
  },
];

const datasource = { type: "prometheus", uid: "$datasource" };
const gridColumns = 24;

function panel(
  type: "stat" | "timeseries",
  { title, description, unit = "none", targets }: PanelOptions,
  gridPos: { x: number; y: number; w: number; h: number },
  id: number,
): object {
  return {
    id,
    type,
    title,
    ...(description !== undefined && { description }),
    datasource,
    gridPos,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: targets.map(({ expr, legend = "" }, index) => ({
      refId: String.fromCodePoint(65 + index),
      datasource,
      expr,
      legendFormat: legend,
    })),
  };
}

function variable(name: string, label: string, from: string): object {
  return {
    type: "query",
    name,
    label,
    datasource,
    query: { query: `label_values(${from}, ${name})`, refId: name },
    refresh: 2,
    multi: true,
    includeAll: true,
    allValue: ".*",
    current: { text: "All", value: "$__all" },
  };
}

/** As Grafana imports it. */
export function dashboard(): object {
  const numberWidth = gridColumns / numbers.length;
  const numberHeight = 4;
  const chartWidth = gridColumns / 2;
  const chartHeight = 8;
  return {
    uid: "kafka-proxy",
    title: "kafka-proxy",
    tags: ["kafka-proxy"],
    schemaVersion: 39,
    editable: true,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    templating: {
      list: [
        { type: "datasource", name: "datasource", label: "Prometheus", query: "prometheus" },
        variable("namespace", "Namespace", "kafkaproxy_ready"),
        variable("topic", "Topic", 'kafkaproxy_ready{namespace=~"$namespace"}'),
        variable("group", "Group", 'kafkaproxy_ready{namespace=~"$namespace",topic=~"$topic"}'),
      ],
    },
    panels: [
      ...numbers.map((options, index) =>
        panel(
          "stat",
          options,
          { x: index * numberWidth, y: 0, w: numberWidth, h: numberHeight },
          index + 1,
        ),
      ),
      ...charts.map((options, index) =>
        panel(
          "timeseries",
          options,
          {
            x: (index % 2) * chartWidth,
            y: numberHeight + Math.floor(index / 2) * chartHeight,
            w: chartWidth,
            h: chartHeight,
          },
          numbers.length + index + 1,
        ),
      ),
    ],
  };
}
