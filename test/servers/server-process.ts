// One server as a child process: started until it is ready, stopped, killed, frozen, and never left behind.
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { keepLogs, type RunFolder } from "./run-folder.ts";

export type ServerState = "stopped" | "starting" | "running" | "frozen";

export interface ServerCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly folder: RunFolder;
  /** Default: this process's. */
  readonly env?: NodeJS.ProcessEnv;
  /** Lines of shell that tidy up what the server leaves outside its folder; run when the process that started it is gone without having stopped it. */
  readonly tidy?: string;
  /** Asked again and again after the start, with the log of this start. */
  readonly ready: (log: string) => boolean | Promise<boolean>;
}

// Waits for the end of its standard input, which comes when the process that started it is gone, whatever ended that,
// SIGKILL included. Then it ends the server, tidies up and removes the data, which nobody else is left to do.
const watchdog =
  'trap "" INT TERM HUP; read -r _; kill -KILL "$0" 2>/dev/null; eval "$2"; rm -rf "$1"';

const startDeadlineMs = 120_000;
const stopDeadlineMs = 30_000;
const running = new Set<ChildProcess>();

process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class ServerProcess {
  readonly #what: ServerCommand;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #starts = 0;
  #state: ServerState = "stopped";

  constructor(what: ServerCommand) {
    this.#what = what;
  }

  get state(): ServerState {
    return this.#state;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it and waits until it is ready. Rejects with the end of its log when it does not get there. */
  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`${this.#what.name} is already ${this.#state}`);
    const { name, command, args, folder, ready } = this.#what;
    const logFile = join(folder.dir, `${name}-${++this.#starts}.log`);
    this.#state = "starting";
    const child = this.#spawn(command, args, logFile);
    const deadline = performance.now() + startDeadlineMs;
    for (;;) {
      const log = await readFile(logFile, "utf8");
      if (this.#child !== child || performance.now() > deadline) {
        await this.kill();
        keepLogs();
        const end = log.trim().split("\n").slice(-20).join("\n");
        throw new Error(`${name} did not start; its log is ${logFile} and ends with\n${end}`);
      }
      if (await ready(log)) break;
      await sleep(40);
    }
    this.#state = "running";
  }

  #spawn(command: string, args: readonly string[], logFile: string): ChildProcess {
    const log = openSync(logFile, "w");
    // A session of its own: Ctrl-C on the terminal must not end the servers under a demo that is still tidying up.
    const child = spawn(command, args, {
      stdio: ["ignore", log, log],
      detached: true,
      cwd: this.#what.folder.dir,
      env: this.#what.env ?? process.env,
    });
    closeSync(log);
    child.unref();
    this.#child = child;
    running.add(child);
    const guard =
      child.pid === undefined
        ? undefined
        : spawn(
            "/bin/sh",
            ["-c", watchdog, String(child.pid), this.#what.folder.data, this.#what.tidy ?? ""],
            { stdio: ["pipe", "ignore", "ignore"], detached: true },
          );
    guard?.unref();
    (guard?.stdin as unknown as { unref?: () => void } | undefined)?.unref?.();
    this.#exited = new Promise((resolve) => {
      const ended = () => {
        running.delete(child);
        guard?.kill("SIGKILL");
        if (this.#child === child) {
          this.#child = undefined;
          this.#state = "stopped";
        }
        resolve();
      };
      child.once("exit", ended);
      child.once("error", ended); // could not be spawned: start() sees that it is gone
    });
    return child;
  }

  /** SIGTERM; SIGKILL when it is not gone in 30 s. */
  async stop(): Promise<void> {
    this.thaw();
    const child = this.#child;
    child?.kill("SIGTERM");
    const timer = setTimeout(() => child?.kill("SIGKILL"), stopDeadlineMs);
    await this.#exited;
    clearTimeout(timer);
  }

  /** SIGKILL: what it wrote stays. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    const keepAlive = setTimeout(() => undefined, stopDeadlineMs); // the child itself does not keep the process up
    await this.#exited;
    clearTimeout(keepAlive);
  }

  /** SIGSTOP: connections stay open and nothing answers. */
  freeze(): void {
    if (this.#state !== "running") return;
    this.#child?.kill("SIGSTOP");
    this.#state = "frozen";
  }

  /** SIGCONT. */
  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#child?.kill("SIGCONT");
    this.#state = "running";
  }
}
