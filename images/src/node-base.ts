// The lower layer: Node.js, the libraries that its binary is linked to, and the few files that a C library asks for. No shell, no npm.
import { execFile } from "node:child_process";
import { readFile, realpath } from "node:fs/promises";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import type { TarEntry } from "./tar.ts";

const run = promisify(execFile);

/** Nobody's user on a usual machine; Kubernetes' `runAsNonRoot` wants a number. */
export const user = 65_532;

/** `ldd`'s lines: `libm.so.6 => /lib/…/libm.so.6 (0x…)` and `/lib64/ld-linux-x86-64.so.2 (0x…)`. */
export function librariesOf(lddOutput: string): string[] {
  return [...lddOutput.matchAll(/(?:=>\s+|^\s*)(\/\S+)\s+\(0x/gmu)].map(([, path = ""]) => path);
}

function text(path: string, content: string): TarEntry {
  return { path, content: Buffer.from(content) };
}

/** Made of the Node.js in node_modules, so that what is tested and what is shipped are one version. */
export async function nodeBase(): Promise<TarEntry[]> {
  const binary = createRequire(import.meta.url).resolve("node/bin/node");
  const { stdout } = await run("ldd", [binary]);
  const files: TarEntry[] = await Promise.all(
    librariesOf(stdout).map(async (path) => ({
      path: path.slice(1),
      content: await readFile(await realpath(path)),
      mode: 0o755,
    })),
  );
  return [
    ...files,
    { path: "usr/bin/node", content: await readFile(binary), mode: 0o755 },
    text("etc/passwd", `root:x:0:0::/:/nologin\nkafkaproxy:x:${user}:${user}::/app:/nologin\n`),
    text("etc/group", `root:x:0:\nkafkaproxy:x:${user}:\n`),
    text("etc/nsswitch.conf", "hosts: files dns\n"),
    { path: "tmp", folderMode: 0o1777 },
  ];
}
