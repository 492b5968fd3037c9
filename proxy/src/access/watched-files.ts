import { readFile } from "node:fs/promises";

/** How often files are looked at, in ms. */
export const fileCheckMs = 5_000;

export interface WatchedFilesOptions {
  readonly paths: readonly string[];
  /** Called with the contents, in the order of `paths`, at the start and whenever one has changed. May throw. */
  readonly use: (contents: readonly Buffer[]) => void;
  /** Called once for each new reason why the last good contents stay in use. */
  readonly failed: (error: unknown) => void;
  /** Default: `fileCheckMs`. */
  readonly checkMs?: number;
}

/**
 * Small files that may change while we run: certificates, tokens.
 *
 * They are read again instead of watched: Kubernetes replaces a mounted secret by moving a link that
 * the file's path goes through, and watching misses that.
 */
export class WatchedFiles {
  readonly #options: WatchedFilesOptions;
  #timer: NodeJS.Timeout | undefined;
  #contents: readonly Buffer[] = [];
  #failure = "";

  constructor(options: WatchedFilesOptions) {
    this.#options = options;
  }

  /** Reads them for the first time. @throws when one can't be read or used: it names the path. */
  async start(): Promise<void> {
    const contents = await this.#read();
    this.#options.use(contents);
    this.#contents = contents;
    this.#schedule();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      void this.#check();
    }, this.#options.checkMs ?? fileCheckMs).unref();
  }

  async #check(): Promise<void> {
    try {
      const contents = await this.#read();
      const changed = contents.some(
        (content, at) => !content.equals(this.#contents[at] ?? noBytes),
      );
      if (changed && this.#timer !== undefined) this.#options.use(contents);
      this.#contents = contents;
      this.#failure = "";
    } catch (error) {
      // A key that does not fit its certificate yet is the normal middle of a replacement: said once.
      const failure = String(error);
      if (failure !== this.#failure) this.#options.failed(error);
      this.#failure = failure;
    }
    if (this.#timer !== undefined) this.#schedule();
  }

  async #read(): Promise<Buffer[]> {
    return await Promise.all(this.#options.paths.map((path) => readFile(path)));
  }
}

const noBytes = Buffer.alloc(0);
