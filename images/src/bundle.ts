// The upper layer: one program with everything that it imports, with source maps.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { decode, encode, type SourceMapSegment } from "@jridgewell/sourcemap-codec";
import { build } from "esbuild";
import type { TarEntry } from "./tar.ts";

const root = join(import.meta.dirname, "../..");

/** What is left of CommonJS in our dependencies asks for a `require` of its own. */
const banner = `import { createRequire as __createRequire } from "node:module";
const require = __createRequire(import.meta.url);`;

const outdir = join(root, "images/dist/bundle");

/**
 * Bundles `entry` (a path from the repository's root) to /app/dist/main.js, which can be executed as /usr/bin/`command`;
 * beside it what is imported only when it is needed, and the name and version of the package in `folder`. A program that
 * is loaded whole would hold megabytes of code that it never runs, such as a kubeconfig's reader in a pod.
 */
export async function bundle(entry: string, folder: string, command: string): Promise<TarEntry[]> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: { main: entry },
    outdir,
    write: false,
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node24",
    conditions: ["kafkaproxy-source"],
    mainFields: ["module", "main"],
    sourcemap: "linked",
    sourcesContent: false,
    banner: { js: banner },
    logLevel: "silent",
  });
  const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
  const { name, version } = manifest as { name: string; version: string };
  const files = result.outputFiles.map(({ path, text }): TarEntry => {
    const own = relative(outdir, path);
    if (own === "main.js") {
      return { path: `app/dist/${own}`, content: Buffer.from(executable(text)), mode: 0o755 };
    }
    const content = own.endsWith(".map") ? ofOurSources(text) : text;
    return { path: `app/dist/${own}`, content: Buffer.from(content) };
  });
  return [
    ...files,
    {
      path: "app/package.json",
      content: Buffer.from(`${JSON.stringify({ name, version, type: "module" })}\n`),
    },
    { path: `usr/bin/${command}`, linkTo: "/app/dist/main.js" },
  ];
}

interface SourceMap {
  readonly sources: readonly string[];
  readonly mappings: string;
}

/**
 * The map without what it says of dependencies. Node.js takes a map apart, into objects that it keeps, as soon as the
 * stack of an error is read: most of them would be of code that is nobody's here, and 30 MB.
 */
function ofOurSources(text: string): string {
  const map = JSON.parse(text) as SourceMap;
  const ours = map.sources.map((source) => !source.includes("node_modules/"));
  const mappings = decode(map.mappings).map((line) => {
    const kept: SourceMapSegment[] = [];
    for (const segment of line) {
      const known = segment.length > 1 && ours[segment[1] ?? -1] === true;
      if (known) kept.push(segment);
      // A segment of nothing but its column ends what the one before it says.
      else if (kept.at(-1)?.length !== 1) kept.push([segment[0]]);
    }
    return kept;
  });
  return JSON.stringify({ ...map, mappings: encode(mappings) });
}

/** There is no `env` in the image. The line is replaced, not added, or the source map would be off by one. */
function executable(code: string): string {
  const line = "#!/usr/bin/node --enable-source-maps";
  return code.startsWith("#!") ? code.replace(/^#!.*/u, line) : `${line}\n${code}`;
}

/** A package that is not bundled because its files are required by computed names; it must have no dependencies of its own. */
export function packageFiles(name: string, folders: readonly string[]): TarEntry[] {
  const home = join(root, "node_modules", name);
  const inside = folders.flatMap((folder) =>
    readdirSync(join(home, folder), { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile() && file.name.endsWith(".js"))
      .map((file) => join(file.parentPath, file.name).slice(home.length + 1)),
  );
  return ["package.json", "LICENSE", ...inside].map((path) => ({
    path: `app/node_modules/${name}/${path}`,
    content: readFileSync(join(home, path)),
  }));
}
