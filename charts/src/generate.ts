/** Writes what the chart holds of other files: `make docs`, after the CRD is made. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { chartDir, madeFiles } from "./made.ts";

for (const [path, text] of madeFiles()) writeFileSync(join(chartDir, path), text);
