/** HTTP for people and probes, and the metrics. */
export { type Admin, type AdminOptions, createAdmin } from "./admin.ts";
export type { AdminPort } from "./admin-port.ts";
export { type BytesJson, bytesJson, letterJson } from "./letter-json.ts";
export { Metrics, type MetricsOptions } from "./metrics.ts";
export type { MeasuredPartition, MeasuredStatus, MetricsSources } from "./metrics-table.ts";
