/** The inside of a child process: its job, its reports, its end. */
import type { Said } from "./child.ts";
import type { Meter } from "./meter.ts";

export function readJob(): unknown {
  return JSON.parse(process.argv[2] ?? "{}");
}

export function say(what: Said): void {
  process.send?.(what);
}

/** Reports ten times a second until SIGTERM; then closes, reports once more and ends. */
export function untilStopped(close: () => Promise<unknown>, meter?: Meter): void {
  const timer = setInterval(() => {
    if (meter !== undefined) say(meter.report());
  }, 100);
  const end = async () => {
    await close();
    clearInterval(timer);
    process.send?.(meter?.report() ?? "done", () => process.exit(0));
  };
  process.once("SIGTERM", () => void end());
  // The bench is gone: nobody wants to know any more.
  process.once("disconnect", () => process.exit(1));
}
