import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Logger } from "@kafkaproxy/kafka";
import { isLoopback, Tokens } from "../access/index.ts";
import type { AdminConfig } from "../config/index.ts";
import type { AdminPort } from "./admin-port.ts";
import { type Answer, json, letterAnswer, problem } from "./answers.ts";

export interface AdminOptions {
  readonly config: AdminConfig;
  readonly port: AdminPort;
  readonly logger: Logger;
  /** How often the token file is looked at, in ms. Default 5,000. */
  readonly fileCheckMs?: number;
}

/** HTTP for people and probes. */
export interface Admin {
  /** Resolves when it listens. @throws when the port can't be had or the token file can't be used. */
  start(): Promise<{ readonly host: string; readonly port: number }>;
  /** Ends all connections. */
  close(): Promise<void>;
  readonly state: "idle" | "listening" | "closed";
}

export function createAdmin(options: AdminOptions): Admin {
  return new HttpAdmin(options);
}

interface Route {
  readonly path: string;
  readonly meaning: string;
  readonly answer: (request: IncomingMessage, rest: string) => Answer | Promise<Answer>;
}

/** A request must be there whole within this: who sends byte by byte is cut. */
const requestTimeoutMs = 10_000;
const keepAliveMs = 5_000;
const maxConnections = 256;
const maxHeaderBytes = 16 * 1024;

class HttpAdmin implements Admin {
  readonly #options: AdminOptions;
  readonly #tokens: Tokens | undefined;
  readonly #server: Server;
  readonly #routes: readonly Route[];
  #state: Admin["state"] = "idle";
  #closing: Promise<void> | undefined;

  constructor(options: AdminOptions) {
    const { config, logger, fileCheckMs } = options;
    this.#options = options;
    this.#routes = this.#table();
    this.#tokens =
      config.tokenFile === undefined
        ? undefined
        : new Tokens({
            file: config.tokenFile,
            logger,
            ...(fileCheckMs === undefined ? {} : { checkMs: fileCheckMs }),
          });
    this.#server = createServer(
      {
        headersTimeout: requestTimeoutMs,
        requestTimeout: requestTimeoutMs,
        connectionsCheckingInterval: requestTimeoutMs / 4,
        keepAliveTimeout: keepAliveMs,
        maxHeaderSize: maxHeaderBytes,
      },
      (request, response) => {
        void this.#respond(request, response);
      },
    );
    this.#server.maxConnections = maxConnections;
  }

  get state(): Admin["state"] {
    return this.#state;
  }

  async start(): Promise<{ host: string; port: number }> {
    const { host, port } = this.#options.config;
    await this.#tokens?.start();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#server.once("error", reject);
    this.#server.listen({ host, port }, resolve);
    await promise;
    this.#server.on("error", (error) => {
      this.#options.logger.error({ err: error }, "the admin server has a problem");
    });
    this.#state = "listening";
    const address = this.#server.address();
    if (address === null || typeof address === "string") {
      throw new TypeError(`the admin server has no TCP address but ${String(address)}`);
    }
    return { host: address.address, port: address.port };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const wasListening = this.#state === "listening";
    this.#state = "closed";
    this.#tokens?.close();
    if (!wasListening) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#server.close(() => {
      resolve();
    });
    this.#server.closeAllConnections();
    await promise;
  }

  #table(): Route[] {
    const { port } = this.#options;
    return [
      {
        path: "/healthz",
        meaning: "200 while the process is worth keeping",
        answer: () => {
          const health = port.health();
          return json(health.ok ? 200 : 503, health);
        },
      },
      {
        path: "/readyz",
        meaning: "200 while workers are served",
        answer: () => {
          const readiness = port.readiness();
          return json(readiness.ready ? 200 : 503, readiness);
        },
      },
      {
        path: "/metrics",
        meaning: "for Prometheus",
        answer: async () => ({
          status: 200,
          contentType: "text/plain; version=0.0.4; charset=utf-8",
          body: await port.metrics(),
        }),
      },
      {
        path: "/status",
        meaning: "partitions, workers, dead letters, as JSON",
        answer: () => json(200, port.status()),
      },
      {
        path: "/dead-letters/{msgId}",
        meaning: "a dead letter with its payload",
        answer: async (request, rest) => {
          const refusal = this.#refusePayload(request);
          if (refusal !== undefined) return refusal;
          return letterAnswer(await port.deadLetter(rest));
        },
      },
    ];
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answer(request);
    } catch (error) {
      this.#options.logger.error({ url: request.url, err: error }, "an admin request failed");
      answer = problem(500, "internal", "The proxy failed at this request; its log says more.");
    }
    // No route takes a body: what is left of one is not waited for.
    if (!request.complete) response.setHeader("connection", "close");
    response.writeHead(answer.status, {
      "content-type": answer.contentType,
      "content-length": Buffer.byteLength(answer.body),
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...answer.headers,
    });
    response.end(answer.body);
  }

  #answer(request: IncomingMessage): Answer | Promise<Answer> {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    for (const route of this.#routes) {
      const rest = match(route.path, path);
      if (rest === undefined) continue;
      if (request.method !== "GET" && request.method !== "HEAD") {
        const words = `${route.path} takes GET and HEAD, not ${request.method ?? ""}.`;
        return problem(405, "method-not-allowed", words, { allow: "GET, HEAD" });
      }
      return route.answer(request, rest);
    }
    const routes = Object.fromEntries(this.#routes.map((route) => [route.path, route.meaning]));
    const error = { code: "no-such-route", message: `There is no ${path} here.` };
    return json(404, { error, routes });
  }

  /** Payloads are for who has a token; on loopback without a token file, for who is on this machine. */
  #refusePayload(request: IncomingMessage): Answer | undefined {
    if (this.#tokens !== undefined) {
      const token = /^Bearer +(.+)$/iu.exec(request.headers.authorization ?? "")?.[1]?.trim();
      if (token !== undefined && this.#tokens.allows(token)) return undefined;
      const found = token === undefined ? "no bearer token" : "a token that is not valid here";
      return problem(401, "unauthorized", `There is ${found}; give one of admin.tokenFile.`, {
        "www-authenticate": 'Bearer realm="kafka-proxy"',
      });
    }
    if (!isLoopback(this.#options.config.host)) {
      const words =
        "Messages are shown on another address than loopback only with a token: set admin.tokenFile.";
      return problem(403, "forbidden", words);
    }
    // A page in a browser on this machine can make its own name resolve to loopback.
    const host = (request.headers.host ?? "localhost")
      .replace(/:\d+$/u, "")
      .replace(/^\[|\]$/gu, "");
    if (isLoopback(host)) return undefined;
    const words = `The request names the host ${JSON.stringify(host)}; ask for localhost.`;
    return problem(403, "forbidden", words);
  }
}

/** What stands in the place of `{...}` at a route's end, "" where there is none; undefined when it does not match. */
function match(route: string, path: string): string | undefined {
  const open = route.indexOf("{");
  if (open === -1) return path === route ? "" : undefined;
  const prefix = route.slice(0, open);
  if (!path.startsWith(prefix) || path.length === prefix.length) return undefined;
  try {
    return decodeURIComponent(path.slice(prefix.length));
  } catch {
    // Not percent-encoded: taken as it stands.
    return path.slice(prefix.length);
  }
}
