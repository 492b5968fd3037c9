import { ClientError } from "./client-error.ts";
import type { Handler, MessagesOptions, PullOptions, WorkOptions } from "./consume/index.ts";

const mostInFlight = 1_000_000;
const mostMs = 2 ** 31 - 1;

/** Options of work(), complete. */
export function checkWork(handler: Handler, options: WorkOptions): Required<WorkOptions> {
  const problems: string[] = [];
  if (typeof handler !== "function") {
    problems.push(`handler: found ${typeof handler}, allowed is a function`);
  }
  const concurrency = options.concurrency ?? 10;
  expectWhole(problems, "concurrency", concurrency, 1, mostInFlight);
  const prefetch = options.prefetch ?? Math.min(10, concurrency);
  expectWhole(problems, "prefetch", prefetch, 0, mostInFlight);
  const maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
  expectBytes(problems, options.maxBytes);
  complain("work()", problems);
  return { concurrency, prefetch, maxBytes };
}

/** maxInFlight of messages(). */
export function checkMessages({ maxInFlight = 10 }: MessagesOptions): number {
  const problems: string[] = [];
  expectWhole(problems, "maxInFlight", maxInFlight, 1, mostInFlight);
  complain("messages()", problems);
  return maxInFlight;
}

export function checkPull(options: PullOptions, mode: "pull" | "push"): PullOptions {
  const problems: string[] = [];
  if (mode === "push") {
    problems.push("mode: found push, allowed is pull: connect with mode pull, or use messages()");
  }
  expectWhole(problems, "max", options.max ?? 1, 1, mostInFlight);
  expectWhole(problems, "waitMs", options.waitMs ?? 0, 0, mostMs);
  expectBytes(problems, options.maxBytes);
  complain("pull()", problems);
  return options;
}

function expectBytes(problems: string[], maxBytes: number | undefined): void {
  if (maxBytes !== undefined) {
    expectWhole(problems, "maxBytes", maxBytes, 1, 2 ** 32 - 1);
  }
}

function expectWhole(
  problems: string[],
  name: string,
  found: number,
  least: number,
  most: number,
): void {
  if (!Number.isInteger(found) || found < least || found > most) {
    problems.push(
      `${name}: found ${String(found)}, allowed is a whole number of ${least} to ${most}`,
    );
  }
}

function complain(what: string, problems: readonly string[]): void {
  if (problems.length > 0) {
    throw new ClientError(
      "bad-arguments",
      `${what} can't be called like this:\n- ${problems.join("\n- ")}`,
    );
  }
}
