// What is made of something else, by path from the chart's folder: written by generate.ts, compared by a test.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { dashboard } from "./dashboard.ts";
import { valuesSchema } from "./values-schema.ts";

export const chartDir = join(import.meta.dirname, "../kafka-proxy");

export function madeFiles(): ReadonlyMap<string, string> {
  const values = readFileSync(join(chartDir, "values.yaml"), "utf8");
  return new Map([
    ["files/kafkaproxies.yaml", copy("crds/kafkaproxies.yaml")],
    ["files/alerts.yaml", copy("examples/alerts.yaml")],
    ["files/dashboard.json", json(dashboard())],
    ["values.schema.json", json(valuesSchema(values))],
  ]);
}

/** Of a file by its path from the repository's root. */
function copy(path: string): string {
  return readFileSync(join(import.meta.dirname, "../..", path), "utf8");
}

/** In the house's format: short lists of words stand on one line. */
function json(value: object): string {
  const text = JSON.stringify(value, null, 2);
  const words = /\[\n\s+("[^"\n]*"(?:,\n\s+"[^"\n]*")*)\n\s+\]/gu;
  return `${text.replace(words, (_, inside: string) => `[${inside.replace(/\n\s+/gu, " ")}]`)}\n`;
}
