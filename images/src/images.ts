// The two images, as archives.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { writeArchive, type Image } from "./archive.ts";
import { bundle, packageFiles } from "./bundle.ts";
import { nodeBase, user } from "./node-base.ts";
import { tar, type TarEntry } from "./tar.ts";

/** Paths of OCI archives. The image in each has two tags: `dev`, and the version, which the chart asks for. */
export interface ImageArchives {
  /** `localhost/kafka-proxy`: proxy and operator, `kafkaproxy` with its commands. */
  readonly kafkaProxy: string;
  /** `localhost/kafka-proxy-example-worker`: examples/worker. */
  readonly exampleWorker: string;
}

interface NamedImage {
  /** Of its archive or folder. */
  readonly name: string;
  readonly image: Image;
}

async function images(): Promise<{ kafkaProxy: NamedImage; exampleWorker: NamedImage }> {
  const base = await nodeBase();
  const { version } = JSON.parse(
    await readFile(join(import.meta.dirname, "../../cli/package.json"), "utf8"),
  ) as { version: string };
  const [command, worker] = await Promise.all([
    bundle("cli/src/main.ts", "cli", "kafkaproxy"),
    bundle("examples/worker/src/worker.ts", "examples/worker", "worker"),
  ]);
  const kafkajs = packageFiles("kafkajs", ["src"]);
  const make = (name: string, entrypoint: string, app: readonly TarEntry[]) => ({
    name,
    image: {
      names: ["dev", version].map((tag) => `localhost/${name}:${tag}`),
      layers: [base, app],
      entrypoint: [entrypoint],
      environment: { PATH: "/usr/bin", NODE_ENV: "production" },
      user: `${user}:${user}`,
      workingDir: "/app",
      labels: {
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.licenses": "Apache-2.0",
      },
    },
  });
  return {
    kafkaProxy: make("kafka-proxy", "/usr/bin/kafkaproxy", [...command, ...kafkajs]),
    exampleWorker: make("kafka-proxy-example-worker", "/usr/bin/worker", worker),
  };
}

const defaultFolder = join(import.meta.dirname, "../dist");

/**
 * Builds the images into `folder` (default images/dist). The same sources, dependencies and machine give the same
 * bytes. Takes seconds; needs no root, no container runtime and no network.
 */
export async function buildImages(folder: string = defaultFolder): Promise<ImageArchives> {
  await mkdir(folder, { recursive: true });
  const write = async ({ name, image }: NamedImage) => {
    const file = join(folder, `${name}.tar`);
    await writeArchive(file, [image]);
    return file;
  };
  const { kafkaProxy, exampleWorker } = await images();
  return { kafkaProxy: await write(kafkaProxy), exampleWorker: await write(exampleWorker) };
}

/** The same files as folders named like the images, for a builder that makes its own layers (images/Dockerfile). */
export async function unpackImages(folder: string = defaultFolder): Promise<void> {
  for (const { name, image } of Object.values<NamedImage>({ ...(await images()) })) {
    const target = join(folder, name);
    await mkdir(target, { recursive: true });
    for (const layer of image.layers) {
      const child = spawn("tar", ["-xp", "-C", target], { stdio: ["pipe", "inherit", "inherit"] });
      await Promise.all([pipeline(tar(layer), child.stdin), once(child, "exit")]);
      if (child.exitCode !== 0) throw new Error(`tar could not unpack ${name} into ${target}`);
    }
  }
}
