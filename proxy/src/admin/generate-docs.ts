/** Writes docs/metrics.md: `make docs`. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { metricsReference } from "./metrics-reference.ts";

writeFileSync(join(import.meta.dirname, "../../../docs/metrics.md"), metricsReference());
