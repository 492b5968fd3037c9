/** docs/metrics.md, made from the table. */
import { commitDuration, metricsTable } from "./metrics-table.ts";

/** The whole page. */
export function metricsReference(): string {
  const histogram = { ...commitDuration, type: "histogram" };
  const rows = [...metricsTable, histogram].map(
    ({ name, type, label = "", help }) => `| \`${name}\` | ${type} | ${label} | ${help} |`,
  );
  return `# Metrics

<!-- Made by \`make docs\` from proxy/src/admin/metrics-table.ts; a test compares the two. -->

\`GET /metrics\` on the admin port, in Prometheus' text format. All have the labels \`topic\` and \`group\`; counters count from the process' start. Node.js' own (\`nodejs_eventloop_lag_seconds\`, \`process_resident_memory_bytes\`, \`nodejs_gc_duration_seconds\`, ...) come beside them.

| name | type | label | meaning |
|---|---|---|---|
${rows.join("\n")}
`;
}
