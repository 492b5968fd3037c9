import { createServer, type Server, type ServerResponse } from "node:http";
import type { Logger } from "../runtime/index.ts";

export interface AdminOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Words that say why it is not ready; undefined for ready. */
  readonly notReady: () => string | undefined;
  readonly metrics: () => Promise<string>;
  readonly logger: Logger;
}

const requestTimeoutMs = 10_000;
const maxConnections = 64;

/** HTTP for probes and Prometheus: /healthz, /readyz, /metrics. */
export class Admin {
  readonly #options: AdminOptions;
  readonly #server: Server;

  constructor(options: AdminOptions) {
    this.#options = options;
    this.#server = createServer(
      { headersTimeout: requestTimeoutMs, requestTimeout: requestTimeoutMs },
      (request, response) => {
        void this.#answer((request.url ?? "/").split("?", 1)[0] ?? "/", response);
      },
    );
    this.#server.maxConnections = maxConnections;
  }

  /** Resolves when it listens. @throws when the port can't be had. */
  async start(): Promise<{ readonly host: string; readonly port: number }> {
    const { host, port, logger } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen({ host, port }, resolve);
    await promise;
    this.#server.on("error", (error) => {
      logger.error({ err: error }, "the admin server has a problem");
    });
    const address = this.#server.address();
    return { host, port: typeof address === "object" && address !== null ? address.port : port };
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => {
      resolve();
    });
    this.#server.closeAllConnections();
    await promise;
  }

  async #answer(path: string, response: ServerResponse): Promise<void> {
    const say = (status: number, text: string): void => {
      response.writeHead(status, {
        "content-type": "text/plain; version=0.0.4; charset=utf-8",
        "cache-control": "no-store",
      });
      response.end(text);
    };
    if (path === "/healthz") say(200, "ok\n");
    else if (path === "/readyz") {
      const why = this.#options.notReady();
      say(why === undefined ? 200 : 503, `${why ?? "ok"}\n`);
    } else if (path === "/metrics") {
      try {
        say(200, await this.#options.metrics());
      } catch (error) {
        this.#options.logger.error({ err: error }, "the metrics can't be read");
        say(500, "the metrics can't be read; the log says more\n");
      }
    } else say(404, "there are /healthz, /readyz and /metrics\n");
  }
}
