// What the machine must have (Java, Maven, kcat, Go, containerd), and how it gets it.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { promisify } from "node:util";
import { withLock } from "./lock.ts";

const run = promisify(execFile);

/** Where Debian puts the container network plugins. */
export const cniPlugins = "/usr/lib/cni";

/** One line on stderr: downloads and installations take long enough to want a sign of life. */
export function progress(line: string): void {
  process.stderr.write(`servers: ${line}\n`);
}

async function works(command: string, args: string[]): Promise<boolean> {
  return run(command, args).then(
    () => true,
    () => false, // missing or too old: both mean "install it"
  );
}

/** A JDK of 17 or newer: our Java source is compiled on the spot. */
async function hasJdk(): Promise<boolean> {
  try {
    const { stdout, stderr } = await run("javac", ["-version"]);
    const major = /javac (\d+)/.exec(stdout + stderr)?.[1];
    return major !== undefined && Number(major) >= 17 && (await works("java", ["-version"]));
  } catch {
    return false; // no javac on the path
  }
}

/** What is built from Go modules asks for at least this. */
async function hasGo(): Promise<boolean> {
  try {
    const { stdout } = await run("go", ["env", "GOVERSION"]);
    const minor = /^go1\.(\d+)/.exec(stdout)?.[1];
    return minor !== undefined && Number(minor) >= 24;
  } catch {
    return false; // no go on the path
  }
}

async function hasContainerd(): Promise<boolean> {
  const commands = ["containerd", "runc", "iptables", "ip", "conntrack", "busybox"];
  const found = await Promise.all(commands.map((name) => works("which", [name])));
  return found.every(Boolean) && existsSync(cniPlugins);
}

interface Tool {
  readonly name: string;
  /** Debian's; none where Debian's is too old. */
  readonly packages: readonly string[];
  readonly present: () => Promise<boolean>;
}

const tools = {
  java: { name: "a JDK of 17 or newer", packages: ["openjdk-17-jdk-headless"], present: hasJdk },
  maven: { name: "Maven (mvn)", packages: ["maven"], present: () => works("mvn", ["-v"]) },
  kcat: { name: "kcat", packages: ["kcat"], present: () => works("kcat", ["-V"]) },
  go: { name: "Go 1.24 or newer (https://go.dev/dl)", packages: [], present: hasGo },
  openssl: { name: "openssl", packages: ["openssl"], present: () => works("openssl", ["version"]) },
  containerd: {
    name: "what a node of a cluster is made of (containerd, runc and their network plugins)",
    packages: [
      "containerd",
      "runc",
      "containernetworking-plugins",
      "iptables",
      "conntrack",
      "iproute2",
      "busybox-static",
    ],
    present: hasContainerd,
  },
} as const satisfies Record<string, Tool>;

const checked = new Map<keyof typeof tools, Promise<void>>();

/**
 * Makes sure that a tool is there: the machine's own if it has one, else Debian's by apt when we are root.
 * Throws one line that says what is missing when neither is possible.
 */
export function need(tool: keyof typeof tools): Promise<void> {
  let check = checked.get(tool);
  if (check === undefined) {
    check = provide(tools[tool]);
    checked.set(tool, check);
  }
  return check;
}

async function provide(tool: Tool): Promise<void> {
  if (await tool.present()) return;
  const debian =
    tool.packages.length === 0 ? "" : ` (Debian: apt-get install ${tool.packages.join(" ")})`;
  const byHand = `${tool.name} is missing: install it${debian}`;
  if (tool.packages.length === 0) throw new Error(byHand);
  if (process.getuid?.() !== 0 || !(await works("apt-get", ["--version"]))) throw new Error(byHand);
  await withLock("apt", async () => {
    if (await tool.present()) return; // another process was faster
    progress(`installing ${tool.packages.join(" ")} with apt-get`);
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    try {
      await run("apt-get", ["update", "-q"], { env });
      const install = ["install", "-y", "-q", "--no-install-recommends", ...tool.packages];
      await run("apt-get", install, { env, maxBuffer: 64 << 20 });
    } catch (cause) {
      throw new Error(byHand, { cause });
    }
  });
  if (!(await tool.present())) throw new Error(byHand);
}
