/** Every metric of ours: its name, what it means, and where its value is read. docs/metrics.md is made from it. */
import type { DispatchCounters } from "../dispatch/index.ts";
import type { ListenerCounters } from "../listener/index.ts";

/** What of a partition is measured; fits the entries of /status. */
export interface MeasuredPartition {
  readonly partition: number;
  readonly lag: number | undefined;
  readonly ready: number;
  readonly inFlight: number;
  readonly delayed: number;
  readonly dying: number;
  readonly uncovered: number;
  readonly windowBytes: number;
  readonly stillMs: number;
  readonly stuck: boolean;
  readonly oldestUnsettled?: { readonly ageMs: number };
}

/** What /status says, as far as it is measured. */
export interface MeasuredStatus {
  readonly state: string;
  readonly readiness: { readonly ready: boolean };
  readonly fenced?: string;
  readonly kafka?: { readonly reachable: boolean };
  readonly zookeeper?: { readonly reachable: boolean; readonly registered: boolean };
  readonly connections: number;
  readonly partitions: readonly MeasuredPartition[];
  readonly workers: readonly { readonly connected: boolean }[];
  readonly deadLetters?: { readonly waiting: number; readonly retained: number };
}

/** All that is read at a scrape. */
export interface MetricsSources {
  readonly status: MeasuredStatus;
  /** undefined before the rooms are open. */
  readonly dispatch: DispatchCounters | undefined;
  readonly listener:
    | { readonly counters: ListenerCounters; readonly outboundBytes: number }
    | undefined;
}

/** What happened, counted as it happens. */
export interface MetricsEvents {
  rebalances: number;
  fences: number;
  expired: number;
  readonly deadLetters: Map<string, number>;
}

/** A value for each label value; one value under "" without a label. */
export type Values = Iterable<readonly [label: string, value: number]>;

export interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly label?: string;
  readonly values: (sources: MetricsSources, events: MetricsEvents) => Values;
}

const one = (value: number | boolean): Values => [["", Number(value)]];

function counted(name: string, counter: keyof DispatchCounters, help: string): Metric {
  return {
    name,
    type: "counter",
    help,
    values: ({ dispatch }) => one(dispatch?.[counter] ?? 0),
  };
}

function perPartition(
  name: string,
  help: string,
  value: (partition: MeasuredPartition) => number | undefined,
): Metric {
  return {
    name: `kafkaproxy_partition_${name}`,
    type: "gauge",
    help,
    label: "partition",
    values: ({ status }) =>
      status.partitions.flatMap((partition) => {
        const found = value(partition);
        return found === undefined ? [] : [[String(partition.partition), found] as const];
      }),
  };
}

function gauge(
  name: string,
  help: string,
  value: (sources: MetricsSources) => number | boolean,
): Metric {
  return { name, type: "gauge", help, values: (sources) => one(value(sources)) };
}

const states = ["starting", "serving", "draining", "stopped", "failed"] as const;

export const metricsTable: readonly Metric[] = [
  counted(
    "kafkaproxy_deliveries_total",
    "delivered",
    "Deliveries to workers, repeated ones included.",
  ),
  counted(
    "kafkaproxy_redeliveries_total",
    "redelivered",
    "Deliveries that were not a record's first.",
  ),
  counted("kafkaproxy_acks_total", "acked", "Records settled by an ack."),
  counted(
    "kafkaproxy_late_acks_total",
    "lateAcks",
    "Of these, by a session that no longer held the record.",
  ),
  counted("kafkaproxy_nacks_total", "nacked", "Records given back by a nack."),
  counted(
    "kafkaproxy_rejects_total",
    "rejected",
    "Records sent to the dead-letter topic by a worker.",
  ),
  counted(
    "kafkaproxy_releases_total",
    "released",
    "Deliveries given back unstarted, which do not count.",
  ),
  counted("kafkaproxy_leases_expired_total", "expired", "Leases that ended without an answer."),
  counted("kafkaproxy_lease_renewals_total", "extended", "Leases renewed."),
  counted(
    "kafkaproxy_stale_answers_total",
    "stale",
    "Nacks, rejects, renewals and releases of a delivery that was no longer current.",
  ),
  counted(
    "kafkaproxy_presented_total",
    "presented",
    "Records that workers brought along from a partition's former owner.",
  ),
  counted(
    "kafkaproxy_snapshots_ignored_total",
    "snapshotsIgnored",
    "Commit metadata found broken or foreign at takeover.",
  ),
  counted(
    "kafkaproxy_snapshot_overflows_total",
    "snapshotOverflows",
    "Commits whose metadata had no room for all: a crash then could repeat what was left out.",
  ),
  {
    name: "kafkaproxy_messages_expired_total",
    type: "counter",
    help: "Messages that retention took before anybody had processed them; offsets without a record count too.",
    values: (_, { expired }) => one(expired),
  },
  {
    name: "kafkaproxy_dead_letters_total",
    type: "counter",
    help: "Records given up, by disposition.",
    label: "disposition",
    values: (_, { deadLetters }) => deadLetters,
  },
  gauge(
    "kafkaproxy_dead_letters_waiting",
    "Dead records that the dead-letter topic has not taken yet.",
    ({ status }) => status.deadLetters?.waiting ?? 0,
  ),
  gauge(
    "kafkaproxy_dead_letters_retained",
    "Dead letters in the index, of this proxy's partitions.",
    ({ status }) => status.deadLetters?.retained ?? 0,
  ),
  gauge(
    "kafkaproxy_partitions",
    "Partitions that this proxy serves.",
    ({ status }) => status.partitions.length,
  ),
  perPartition(
    "lag_messages",
    "Records from the low watermark to the end; absent while the end is not known.",
    ({ lag }) => lag,
  ),
  perPartition("ready_messages", "Records that wait for a worker.", ({ ready }) => ready),
  perPartition("in_flight_messages", "Records with workers.", ({ inFlight }) => inFlight),
  perPartition(
    "delayed_messages",
    "Records that wait for their next delivery.",
    ({ delayed }) => delayed,
  ),
  perPartition("dying_messages", "Dead records that are not settled yet.", ({ dying }) => dying),
  perPartition(
    "uncovered_messages",
    "Settled records above the watermark that no commit covers: at most so many are repeated after a crash.",
    ({ uncovered }) => uncovered,
  ),
  perPartition("window_bytes", "Bytes of the records in memory.", ({ windowBytes }) => windowBytes),
  perPartition(
    "watermark_still_seconds",
    "For how long the low watermark has not moved though there is lag.",
    ({ stillMs }) => stillMs / 1_000,
  ),
  perPartition(
    "stuck",
    "1 when that is longer than it should be; /status names the message.",
    ({ stuck }) => Number(stuck),
  ),
  perPartition(
    "oldest_unsettled_seconds",
    "Age of the oldest record in memory that is not settled; 0 without one.",
    ({ oldestUnsettled }) => (oldestUnsettled?.ageMs ?? 0) / 1_000,
  ),
  {
    name: "kafkaproxy_rebalances_total",
    type: "counter",
    help: "Changes of the group's generation.",
    values: (_, { rebalances }) => one(rebalances),
  },
  {
    name: "kafkaproxy_fences_total",
    type: "counter",
    help: "Times that this proxy stopped delivering because it could not trust its membership.",
    values: (_, { fences }) => one(fences),
  },
  gauge("kafkaproxy_fenced", "1 while it does so.", ({ status }) => status.fenced !== undefined),
  gauge("kafkaproxy_connections", "Connections of workers.", ({ status }) => status.connections),
  gauge(
    "kafkaproxy_sessions",
    "Sessions of workers, those that lost their connection and hold leases included.",
    ({ status }) => status.workers.length,
  ),
  gauge(
    "kafkaproxy_outbound_bytes",
    "Bytes that wait to be read by workers.",
    ({ listener }) => listener?.outboundBytes ?? 0,
  ),
  {
    name: "kafkaproxy_connections_accepted_total",
    type: "counter",
    help: "Connections accepted.",
    values: ({ listener }) => one(listener?.counters.accepted ?? 0),
  },
  {
    name: "kafkaproxy_connections_failed_total",
    type: "counter",
    help: "Connections refused or ended by the proxy, by the error code that the worker got.",
    label: "code",
    values: ({ listener }) => Object.entries(listener?.counters.failed ?? {}),
  },
  gauge(
    "kafkaproxy_kafka_reachable",
    "1 while Kafka answers.",
    ({ status }) => status.kafka?.reachable ?? false,
  ),
  gauge(
    "kafkaproxy_zookeeper_reachable",
    "1 while ZooKeeper answers.",
    ({ status }) => status.zookeeper?.reachable ?? false,
  ),
  gauge(
    "kafkaproxy_registered",
    "1 while clients find this proxy in ZooKeeper.",
    ({ status }) => status.zookeeper?.registered ?? false,
  ),
  gauge("kafkaproxy_ready", "1 while /readyz says so.", ({ status }) => status.readiness.ready),
  {
    name: "kafkaproxy_state",
    type: "gauge",
    help: "1 for the state that the proxy is in.",
    label: "state",
    values: ({ status }) => states.map((state) => [state, Number(state === status.state)] as const),
  },
];

/** Beside the table, because it is a histogram; its `_count` is the number of commits. */
export const commitDuration = {
  name: "kafkaproxy_commit_duration_seconds",
  help: "Time of a commit until the broker confirmed or refused it, by result: ok or failed.",
  label: "result",
  /** From a broker in the same room to a commit that waits for a new coordinator. */
  buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
} as const;
