import { createHash, timingSafeEqual } from "node:crypto";
import type { Logger } from "@kafkaproxy/kafka";
import { WatchedFiles } from "./watched-files.ts";

export interface TokensOptions {
  readonly file: string;
  readonly logger: Logger;
  /** How often the file is looked at, in ms. Default 5,000. */
  readonly checkMs?: number;
}

/** The bearer tokens of a file: one a line, `#` begins a comment. Several allow a change without a gap. */
export class Tokens {
  readonly #file: WatchedFiles;
  #digests: readonly Buffer[] = [];

  constructor({ file, logger, checkMs }: TokensOptions) {
    this.#file = new WatchedFiles({
      paths: [file],
      use: ([content]) => {
        const digests = parseTokens(content?.toString("utf8") ?? "").map(digest);
        if (digests.length === 0) {
          throw new Error(
            `${file} holds no token: put one in a line, or take the key tokenFile out`,
          );
        }
        this.#digests = digests;
        logger.info({ file, tokens: digests.length }, "tokens read");
      },
      failed: (error) => {
        logger.warn(
          { file, err: error },
          "the tokens can't be read: the ones read before stay valid",
        );
      },
      ...(checkMs === undefined ? {} : { checkMs }),
    });
  }

  /** @throws when the file can't be read or holds no token. */
  async start(): Promise<void> {
    await this.#file.start();
  }

  close(): void {
    this.#file.close();
  }

  /** Whether `token` is one of them; takes the same time wherever it differs. */
  allows(token: string): boolean {
    const presented = digest(token);
    let allowed = false;
    for (const known of this.#digests) {
      if (timingSafeEqual(known, presented)) allowed = true;
    }
    return allowed;
  }
}

function parseTokens(text: string): string[] {
  return text
    .split(/\r?\n/u)
    .map((line) => line.replace(/(?:^|\s)#.*$/u, "").trim())
    .filter((token) => token !== "");
}

/** Of one length whatever the token's, as timingSafeEqual wants it. */
function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
