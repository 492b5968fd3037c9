// What is made of something else, by path from the chart's folder: written by generate.ts, compared by a test.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { dashboard } from "./dashboard.ts";
import { valuesSchema } from "./values-schema.ts";

export const chartDir = join(import.meta.dirname, "../kafka-proxy");

export function madeFiles(): ReadonlyMap<string, string> {
  const crd = join(import.meta.dirname, "../../crds/kafkaproxies.yaml");
  const values = readFileSync(join(chartDir, "values.yaml"), "utf8");
  return new Map([
    ["files/kafkaproxies.yaml", readFileSync(crd, "utf8")],
    ["files/dashboard.json", json(dashboard())],
    ["values.schema.json", json(valuesSchema(values))],
  ]);
}

/** In the house's format: short lists of words stand on one line. */
function json(value: object): string {
  const text = JSON.stringify(value, null, 2);
  const words = /\[\n\s+("[^"\n]*"(?:,\n\s+"[^"\n]*")*)\n\s+\]/gu;
  return `${text.replace(words, (_, inside: string) => `[${inside.replace(/\n\s+/gu, " ")}]`)}\n`;
}
