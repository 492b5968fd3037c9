// Container images as OCI archives (https://github.com/opencontainers/image-spec), without a builder or a registry.
import { createHash } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import { tar, type TarEntry } from "./tar.ts";

export interface Image {
  /** With a host part, or containerd would not find it: `localhost/kafka-proxy:dev`. The same image may have several. */
  readonly names: readonly string[];
  /** The lowest first. */
  readonly layers: readonly (readonly TarEntry[])[];
  readonly entrypoint: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** `uid:gid`; default root. */
  readonly user?: string;
  readonly workingDir?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const architectures: Partial<Record<NodeJS.Architecture, string>> = {
  x64: "amd64",
  arm64: "arm64",
};
const type = "application/vnd.oci.image";

function platform(): { os: string; architecture: string } {
  const architecture = architectures[process.arch];
  if (architecture === undefined) throw new Error(`no images are made for ${process.arch}`);
  return { os: "linux", architecture };
}

/** Writes `images` into one archive, which is there complete or not at all. Layers that they share are in it once. */
export async function writeArchive(file: string, images: readonly Image[]): Promise<void> {
  const blobs = new Map<string, readonly Uint8Array[]>();
  const add = (mediaType: string, pieces: readonly Uint8Array[]): Descriptor => {
    const hash = createHash("sha256");
    for (const piece of pieces) hash.update(piece);
    const digest = hash.digest("hex");
    blobs.set(digest, pieces);
    const size = pieces.reduce((total, piece) => total + piece.byteLength, 0);
    return { mediaType, digest: `sha256:${digest}`, size };
  };
  const manifests = images.flatMap((image) => {
    const manifest = add(`${type}.manifest.v1+json`, [json(manifestOf(image, add))]);
    return image.names.map((name) => ({
      ...manifest,
      platform: platform(),
      annotations: {
        "io.containerd.image.name": name,
        "org.opencontainers.image.ref.name": name,
      },
    }));
  });
  const index = { schemaVersion: 2, mediaType: `${type}.index.v1+json`, manifests };
  const entries: TarEntry[] = [
    { path: "oci-layout", content: json({ imageLayoutVersion: "1.0.0" }) },
    { path: "index.json", content: json(index) },
    ...[...blobs].map(([digest, pieces]) => ({
      path: `blobs/sha256/${digest}`,
      content: Buffer.concat(pieces),
    })),
  ];
  const part = `${file}.part-${process.pid}`;
  await writeFile(part, tar(entries));
  await rename(part, file);
}

function manifestOf(
  image: Image,
  add: (mediaType: string, pieces: readonly Uint8Array[]) => Descriptor,
): object {
  // Not compressed: an archive is loaded from a disk, and a compressor's bytes change with its version.
  const layers = image.layers.map((entries) => add(`${type}.layer.v1.tar`, tar(entries)));
  const config = {
    ...platform(),
    config: {
      Entrypoint: image.entrypoint,
      Env: Object.entries(image.environment ?? {}).map(([name, value]) => `${name}=${value}`),
      User: image.user ?? "0:0",
      WorkingDir: image.workingDir ?? "/",
      Labels: image.labels ?? {},
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
  };
  return {
    schemaVersion: 2,
    mediaType: `${type}.manifest.v1+json`,
    config: add(`${type}.config.v1+json`, [json(config)]),
    layers,
  };
}

function json(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
