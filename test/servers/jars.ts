// The servers' jars, from Maven Central into .cache, once.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDir, withLock } from "./lock.ts";
import { need, progress } from "./machine.ts";

const run = promisify(execFile);
const versions = { kafka: "4.4.0", zookeeper: "3.9.4" } as const;

/** Folder of everything about one server's version; its jars are in `libs`. */
export function homeOf(server: keyof typeof versions): string {
  return join(cacheDir, `${server}-${versions[server]}`);
}

/**
 * Makes `target` exactly once, over processes and interruptions: `make` fills a folder beside it,
 * which is moved into place when it is complete.
 */
export async function once(target: string, make: (folder: string) => Promise<void>): Promise<void> {
  if (existsSync(target)) return;
  await withLock(target.slice(cacheDir.length + 1).replaceAll("/", "-"), async () => {
    if (existsSync(target)) return;
    await mkdir(join(target, ".."), { recursive: true });
    const folder = await mkdtemp(`${target}.part-`);
    try {
      await make(folder);
      await rename(folder, target);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}

/** The class path of a server's jars, downloaded first when they are not there. Also makes sure of Java. */
export async function classPath(server: keyof typeof versions): Promise<string> {
  await need("java");
  const libs = join(homeOf(server), "libs");
  await once(libs, async (folder) => {
    await need("maven");
    progress(`fetching ${server} ${versions[server]} from Maven Central`);
    // In a folder of its own: Maven takes the folder of the pom for the project's.
    const project = await mkdtemp(join(cacheDir, "pom-"));
    try {
      await copyFile(join(import.meta.dirname, "jars", `${server}.xml`), join(project, "pom.xml"));
      const args = ["-B", "-q", "dependency:copy-dependencies", "-DincludeScope=runtime"];
      await run("mvn", [...args, `-DoutputDirectory=${folder}`], { cwd: project });
    } catch (cause) {
      const said = (cause as { stdout?: string }).stdout?.trim() ?? "";
      throw new Error(`could not fetch the jars of ${server}: ${said}`, { cause });
    } finally {
      await rm(project, { recursive: true, force: true });
    }
    progress(`${server} ${versions[server]}: ${(await readdir(folder)).length} jars`);
  });
  return join(libs, "*");
}
