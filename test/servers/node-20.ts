// Node.js 20, the oldest that the published packages run on.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { once } from "./jars.ts";
import { cacheDir } from "./lock.ts";
import { progress } from "./machine.ts";

const run = promisify(execFile);
/** The newest that npm has for every platform. */
const version = "20.18.1";

/** The program: the machine's own where that is one, else from npm into .cache, once. */
export async function node20(): Promise<string> {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const program = join(folder, "node");
    // npm puts its packages' programs on the path of what it starts.
    if (!folder.includes("node_modules") && existsSync(program) && (await is20(program))) {
      return program;
    }
  }
  const { platform, arch } = process;
  // The package `node` would fetch this one by its install script.
  const name = `${platform === "darwin" && arch === "arm64" ? "node-bin" : "node"}-${platform}-${arch}`;
  const home = join(cacheDir, `node-${version}`);
  await once(home, async (folder) => {
    progress(`fetching ${name} ${version} from npm`);
    const args = ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"];
    await run("npm", [...args, `${name}@${version}`]);
  });
  return join(home, "node_modules", name, "bin", "node");
}

async function is20(program: string): Promise<boolean> {
  try {
    const { stdout } = await run(program, ["--version"]);
    return stdout.startsWith("v20.");
  } catch {
    return false; // does not run here
  }
}
