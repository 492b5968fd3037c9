/** HTTP for probes and Prometheus. */
export { Admin, type AdminOptions } from "./admin.ts";
export { Metrics, type MetricsSources } from "./metrics.ts";
