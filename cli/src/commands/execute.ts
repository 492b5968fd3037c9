import { type ChildProcess, spawn } from "node:child_process";

/** What a command is told of its message; the payload comes on standard input. */
export interface ExecMessage {
  readonly msgId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly attempt: number;
  readonly timestamp: Date | undefined;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

export interface ExecResult {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: string | null;
}

function environment(message: ExecMessage): NodeJS.ProcessEnv {
  return {
    ...process.env,
    KAFKAPROXY_MSG_ID: message.msgId,
    KAFKAPROXY_TOPIC: message.topic,
    KAFKAPROXY_PARTITION: String(message.partition),
    KAFKAPROXY_OFFSET: String(message.offset),
    KAFKAPROXY_ATTEMPT: String(message.attempt),
    KAFKAPROXY_TIMESTAMP: message.timestamp?.toISOString() ?? "",
    // An environment variable can't hold a NUL byte.
    KAFKAPROXY_KEY: message.key === null ? "" : message.key.toString("utf8").replaceAll("\0", ""),
    KAFKAPROXY_TOMBSTONE: message.value === null ? "1" : "",
  };
}

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGTERM");
  } catch {
    // All of it has ended already.
  }
}

/**
 * Runs a shell command for one message and resolves with how it ended.
 * @param signal aborted when the message's lease is lost: the command and what it started get SIGTERM.
 * @throws Error when the shell itself can't be started.
 */
export function execute(
  command: string,
  message: ExecMessage,
  signal: AbortSignal,
): Promise<ExecResult> {
  return new Promise((resolve, reject) => {
    const child = spawn("/bin/sh", ["-c", command], {
      stdio: ["pipe", "inherit", "inherit"],
      env: environment(message),
      // A group of its own: Ctrl-C on our terminal is for us, who let it finish, and SIGTERM reaches what the shell started.
      detached: true,
    });
    const terminate = () => endGroup(child);
    if (signal.aborted) terminate();
    signal.addEventListener("abort", terminate, { once: true });
    child.once("error", reject);
    child.once("close", (code, ended) => {
      signal.removeEventListener("abort", terminate);
      resolve({ code, signal: ended });
    });
    // A command need not read its input: EPIPE only says that it did not.
    child.stdin.on("error", () => undefined);
    child.stdin.end(message.value ?? Buffer.alloc(0));
  });
}
