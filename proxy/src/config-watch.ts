import type { Logger } from "@kafkaproxy/kafka";
import { WatchedFiles } from "./access/index.ts";
import { type Environment, formatOf, parseConfig } from "./config/index.ts";

export interface ConfigWatchOptions {
  readonly file: string;
  readonly environment: Environment;
  readonly logger: Logger;
  /** Called with what the file says, at the start and whenever the file has changed. */
  readonly onPaused: (paused: boolean) => void;
}

/**
 * Follows what a running proxy takes over from its configuration file: `paused`, so that pausing keeps
 * membership and connections. All else in it is for the next start.
 */
export class ConfigWatch {
  readonly #files: WatchedFiles;

  constructor({ file, environment, logger, onPaused }: ConfigWatchOptions) {
    this.#files = new WatchedFiles({
      paths: [file],
      use: ([content]) => {
        const text = String(content);
        onPaused(parseConfig({ text, format: formatOf(file), file }, environment).paused);
      },
      failed: (error) => {
        logger.warn({ err: error }, "the changed configuration can't be used: going on as before");
      },
    });
  }

  /** @throws when the file can't be read or used: it was, a moment ago. */
  async start(): Promise<void> {
    await this.#files.start();
  }

  close(): void {
    this.#files.close();
  }
}
