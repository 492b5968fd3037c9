import { readFileSync } from "node:fs";

/** What a process has used so far. */
export interface Usage {
  readonly cpuMs: number;
  readonly rssBytes: number;
  readonly peakRssBytes: number;
}

/** Linux counts CPU time for people in hundredths of a second, whatever the kernel's own tick is. */
const tickMs = 10;

/** From /proc, so on Linux only; undefined elsewhere. */
export function usageOf(pid: number): Usage | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    // The second field is the program's name in brackets, which may hold spaces.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    const bytes = (name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * tickMs,
      rssBytes: bytes("VmRSS"),
      peakRssBytes: bytes("VmHWM"),
    };
  } catch {
    return undefined; // no /proc, or the process is gone
  }
}
