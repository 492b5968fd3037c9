// `make images`: the archives; with `--folders`, which images/Dockerfile uses, their files.
import { stat } from "node:fs/promises";
import { relative } from "node:path";
import { buildImages, unpackImages } from "./index.ts";

if (process.argv.includes("--folders")) {
  await unpackImages();
} else {
  for (const file of Object.values<string>({ ...(await buildImages()) })) {
    const { size } = await stat(file);
    process.stdout.write(`${relative(process.cwd(), file)}  ${Math.round(size / 1e6)} MB\n`);
  }
}
