import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from "node:fs";
import { SourceMap } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse } from "yaml";
import { buildImages, type ImageArchives, unpackImages } from "./index.ts";
import { librariesOf } from "./node-base.ts";

const chartFolder = join(import.meta.dirname, "../../charts/kafka-proxy");

function json(file: string) {
  return JSON.parse(readFileSync(file, "utf8"));
}

function hash(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

/** Of the first image in an archive: how a container of it starts. */
function configIn(archive: string): unknown {
  const read = (path: string) =>
    JSON.parse(execFileSync("tar", ["-xOf", archive, path], { encoding: "utf8" }));
  const blob = (digest: string) => read(`blobs/${digest.replace(":", "/")}`);
  const [{ digest }] = read("index.json").manifests;
  return blob(blob(digest).config.digest).config;
}

/** The same, as the last lines of a stage of the Dockerfile say it; "" is the stage without a name. */
function configOf(stage: string): unknown {
  const text = readFileSync(join(import.meta.dirname, "../Dockerfile"), "utf8");
  const [, ...stages] = text.split(/^FROM /mu);
  const found = stages.find((lines) => (/^.* AS (.*)/u.exec(lines)?.[1] ?? "") === stage);
  const said = (instruction: string): string =>
    new RegExp(`^${instruction} (.*)$`, "mu").exec(found ?? "")?.[1] ?? "";
  return {
    Entrypoint: JSON.parse(said("ENTRYPOINT")),
    Env: said("ENV").split(" "),
    User: said("USER"),
    WorkingDir: said("WORKDIR"),
    Labels: Object.fromEntries(
      said("LABEL")
        .split(" ")
        .map((label) => label.split("=")),
    ),
  };
}

describe("the images", () => {
  const folder = mkdtempSync(join(tmpdir(), "kafkaproxy-images-"));
  const root = join(folder, "root");
  let archives: ImageArchives;

  const blob = (digest: string) => join(folder, "blobs", digest.replace(":", "/"));

  before(async () => {
    archives = await buildImages(folder);
    execFileSync("tar", ["-xf", archives.kafkaProxy, "-C", folder]);
    execFileSync("mkdir", [root]);
  });
  after(() => rmSync(folder, { recursive: true }));

  it("are what the OCI layout asks for, every blob under its digest", () => {
    assert.deepEqual(json(join(folder, "oci-layout")), { imageLayoutVersion: "1.0.0" });
    const { manifests } = json(join(folder, "index.json"));
    const [named] = manifests;
    const chart = parse(readFileSync(join(chartFolder, "Chart.yaml"), "utf8"));
    const values = parse(readFileSync(join(chartFolder, "values.yaml"), "utf8"));
    assert.deepEqual(
      manifests.map(
        ({ annotations }: { annotations: Record<string, string> }) =>
          annotations["io.containerd.image.name"],
      ),
      ["localhost/kafka-proxy:dev", `${values.image.repository}:${chart.appVersion}`],
      "the second is what the chart asks for unless it is told another",
    );
    assert.ok(manifests.every(({ digest }: { digest: string }) => digest === named.digest));
    const manifest = json(blob(named.digest));
    const config = json(blob(manifest.config.digest));
    assert.deepEqual(
      config.rootfs.diff_ids,
      manifest.layers.map(({ digest }: { digest: string }) => digest),
    );
    assert.equal(config.config.User, "65532:65532");
    for (const { digest, size } of [named, manifest.config, ...manifest.layers]) {
      const bytes = readFileSync(blob(digest));
      assert.equal(bytes.byteLength, size);
      assert.equal(`sha256:${hash(blob(digest))}`, digest);
    }
    for (const { digest } of manifest.layers) {
      execFileSync("tar", ["-xf", blob(digest), "-C", root]);
    }
  });

  it("have Node.js and the program, and neither a shell nor npm", () => {
    const { size } = statSync(archives.kafkaProxy);
    assert.ok(size < 200e6, `${size} bytes`);
    for (const there of ["usr/bin/node", "usr/bin/kafkaproxy", "app/dist/main.js.map"]) {
      lstatSync(join(root, there)); // throws where there is none; a link's target is in the image only
    }
    for (const absent of ["bin/sh", "usr/bin/sh", "usr/bin/env", "usr/bin/npm"]) {
      assert.ok(!existsSync(join(root, absent)), absent);
    }
  });

  it("run: the bundle is complete, and its traces name the sources", () => {
    const main = join(root, "app/dist/main.js");
    const { version } = json(join(import.meta.dirname, "../../cli/package.json"));
    assert.equal(
      execFileSync(process.execPath, [main, "--version"], { encoding: "utf8" }).trim(),
      version,
    );
    const lines = readFileSync(main, "utf8").split("\n");
    const map = new SourceMap(json(`${main}.map`));
    const sourceOf = (code: string) => {
      const line = lines.findIndex((text) => text.startsWith(code));
      assert.ok(line >= 0, code);
      const entry = map.findEntry(line, 0);
      return "originalSource" in entry ? `${entry.originalSource}:${entry.originalLine + 1}` : "";
    };
    const source = readFileSync(join(import.meta.dirname, "../../cli/src/program.ts"), "utf8");
    const at = source
      .split("\n")
      .findIndex((text) => text.startsWith("export function createProgram"));
    assert.match(
      sourceOf("function createProgram"),
      new RegExp(`cli/src/program\\.ts:${at + 1}$`, "u"),
    );
  });

  it("load what reads kubeconfigs only when it is asked for: it is most of the code, and no pod needs it", () => {
    const folder = join(root, "app/dist");
    const size = (name: string) => statSync(join(folder, name)).size;
    const others = readdirSync(folder).filter((name) => name.endsWith(".js") && name !== "main.js");
    assert.ok(size("main.js") < 4e6, `${size("main.js")} bytes`);
    assert.ok(others.some((name) => size(name) > size("main.js")));
  });

  it("are there as folders too, for a builder", async () => {
    await unpackImages(join(folder, "unpacked"));
    const worker = join(folder, "unpacked/kafka-proxy-example-worker");
    assert.equal(statSync(join(worker, "tmp")).mode & 0o7777, 0o1777);
    assert.equal(readlinkSync(join(worker, "usr/bin/worker")), "/app/dist/main.js");
    assert.ok(existsSync(join(folder, "unpacked/kafka-proxy/app/node_modules/kafkajs/LICENSE")));
  });

  it("start as those of the Dockerfile do", () => {
    assert.deepEqual(configIn(archives.kafkaProxy), configOf(""));
    assert.deepEqual(configIn(archives.exampleWorker), configOf("example-worker"));
  });

  it("are the same bytes again", async () => {
    const first = Object.values<string>({ ...archives }).map((file) => hash(file));
    const second = Object.values<string>({ ...(await buildImages(folder)) }).map((file) =>
      hash(file),
    );
    assert.deepEqual(second, first);
  });
});

it("ldd's answer is read: libraries and the loader, without what the kernel brings itself", () => {
  const answer = `	linux-vdso.so.1 (0x00007f898eb40000)
	libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f898ea4a000)
	/lib64/ld-linux-x86-64.so.2 (0x00007f898eb42000)
`;
  assert.deepEqual(librariesOf(answer), [
    "/lib/x86_64-linux-gnu/libm.so.6",
    "/lib64/ld-linux-x86-64.so.2",
  ]);
});
