// `make images`.
import { stat } from "node:fs/promises";
import { relative } from "node:path";
import { buildImages } from "./index.ts";

for (const file of Object.values<string>({ ...(await buildImages()) })) {
  const { size } = await stat(file);
  process.stdout.write(`${relative(process.cwd(), file)}  ${Math.round(size / 1e6)} MB\n`);
}
