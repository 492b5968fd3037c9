// The two images, as archives.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { writeArchive, type Image } from "./archive.ts";
import { bundle, packageFiles } from "./bundle.ts";
import { nodeBase, user } from "./node-base.ts";
import type { TarEntry } from "./tar.ts";

/** Paths of OCI archives. */
export interface ImageArchives {
  /** `localhost/kafka-proxy:dev`: proxy and operator, `kafkaproxy` with its commands. */
  readonly kafkaProxy: string;
  /** `localhost/kafka-proxy-example-worker:dev`: examples/worker. */
  readonly exampleWorker: string;
}

/**
 * Builds the images into `folder` (default images/dist). The same sources, dependencies and machine give the same bytes. Takes seconds; needs no root,
 * no container runtime and no network.
 */
export async function buildImages(
  folder: string = join(import.meta.dirname, "../dist"),
): Promise<ImageArchives> {
  await mkdir(folder, { recursive: true });
  const base = await nodeBase();
  const [command, worker] = await Promise.all([
    bundle("cli/src/main.ts", "cli", "kafkaproxy"),
    bundle("examples/worker/src/worker.ts", "examples/worker", "worker"),
  ]);
  const kafkajs = packageFiles("kafkajs", ["src"]);
  const write = async (name: string, entrypoint: string, app: readonly TarEntry[]) => {
    const file = join(folder, `${name}.tar`);
    const image: Image = {
      names: [`localhost/${name}:dev`],
      layers: [base, app],
      entrypoint: [entrypoint],
      environment: { PATH: "/usr/bin", NODE_ENV: "production" },
      user: `${user}:${user}`,
      workingDir: "/app",
      labels: {
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.licenses": "Apache-2.0",
      },
    };
    await writeArchive(file, [image]);
    return file;
  };
  return {
    kafkaProxy: await write("kafka-proxy", "/usr/bin/kafkaproxy", [...command, ...kafkajs]),
    exampleWorker: await write("kafka-proxy-example-worker", "/usr/bin/worker", worker),
  };
}
