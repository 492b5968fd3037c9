/** Exit code of a program that Ctrl-C ended, as shells have it. */
export const interruptedCode = 130;

/**
 * Aborted by the first Ctrl-C (or SIGTERM, or a terminal that is closed): then all is ended in order.
 * The next one ends this process at once, and its exit handlers end the others by force.
 */
export function interruption(say: (line: string) => void): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(interruptedCode);
      say("interrupted");
      controller.abort(new Error("interrupted"));
    });
  }
  return controller.signal;
}

/** What `work` resolves to, unless the signal is aborted first: then it rejects at once, and `work` is left to itself. */
export function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
