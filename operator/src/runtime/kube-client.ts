import * as http from "node:http";
import * as https from "node:https";
import type { ClusterAccess } from "./access.ts";
import { KubeError } from "./kube-error.ts";

export type Verb = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface KubeRequest {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined;
  readonly body?: unknown;
  /** Default application/json. */
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
  /** Asked before each time that it is sent; what it throws is what the request ends with. */
  readonly check?: () => void;
  /** Until the whole answer is there. Default 15,000. */
  readonly timeoutMs?: number;
}

export interface StreamRequest {
  readonly query?: KubeRequest["query"];
  readonly signal: AbortSignal;
  /** A server that says nothing for so long is taken for gone: the stream ends with `timeout`. */
  readonly silenceMs: number;
}

/** The API server over HTTP/1.1: one attempt a call, every failure a KubeError, nothing without a deadline. */
export interface KubeClient {
  request<T>(verb: Verb, path: string, request?: KubeRequest): Promise<T>;
  /** The lines of an answer without end. */
  lines(path: string, request: StreamRequest): AsyncGenerator<string, void, undefined>;
}

const requestTimeoutMs = 15_000;
const keepAliveMs = 30_000;
const maxSockets = 32;

export class HttpKubeClient implements KubeClient {
  readonly #access: ClusterAccess;
  readonly #agent: http.Agent;
  /** Apart, so that streams that stay open don't take the places of requests. */
  readonly #streamAgent: http.Agent;
  readonly #userAgent: string;

  constructor(access: ClusterAccess, options: { readonly userAgent: string }) {
    this.#access = access;
    this.#userAgent = options.userAgent;
    const { Agent } = access.server.protocol === "http:" ? http : https;
    this.#agent = new Agent({
      ...access.tls,
      keepAlive: true,
      keepAliveMsecs: keepAliveMs,
      maxSockets,
    });
    this.#streamAgent = new Agent({
      ...access.tls,
      keepAlive: false,
      keepAliveMsecs: keepAliveMs,
    });
  }

  /** Ends every connection: requests under way fail with `unreachable`. */
  close(): void {
    this.#agent.destroy();
    this.#streamAgent.destroy();
  }

  async request<T>(verb: Verb, path: string, request: KubeRequest = {}): Promise<T> {
    const headers = await this.#headers();
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const url = this.#url(path, request.query);
    const exchange = (): Promise<unknown> =>
      this.#exchange(
        verb,
        url,
        body,
        {
          ...headers,
          ...(body !== undefined && {
            "content-type": request.contentType ?? "application/json",
            // Node leaves it out for DELETE: the server then takes the body for the next request.
            "content-length": String(body.byteLength),
          }),
        },
        request,
      );
    try {
      return (await exchange()) as T;
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
    }
    try {
      return (await exchange()) as T;
    } catch (error) {
      throw error instanceof StaleConnection ? error.lost : error;
    }
  }

  async *lines(path: string, request: StreamRequest): AsyncGenerator<string, void, undefined> {
    const { signal, silenceMs } = request;
    const what = `GET ${path}`;
    const headers = await this.#headers();
    if (signal.aborted) return;
    const outgoing = this.#open("GET", this.#url(path, request.query), headers, true);
    let failure: KubeError | undefined;
    const fail = (error: KubeError): void => {
      failure ??= error;
      outgoing.destroy();
    };
    const silence = setTimeout(() => {
      fail(new KubeError("timeout", `${what}: nothing came for ${silenceMs} ms`));
    }, silenceMs);
    const abort = (): void => fail(new KubeError("aborted", `${what}: told to stop`));
    signal.addEventListener("abort", abort);
    try {
      const response = await answerTo(outgoing);
      response.setEncoding("utf8");
      const refused = response.statusCode !== 200;
      let rest = "";
      for await (const chunk of response as AsyncIterable<string>) {
        silence.refresh();
        const parts = (rest + chunk).split("\n");
        rest = parts.pop() ?? "";
        if (refused) rest = [...parts, rest].join("\n");
        else for (const part of parts) if (part !== "") yield part;
      }
      if (refused) throw answered(what, response, rest);
    } catch (error) {
      if (failure !== undefined) throw failure;
      if (error instanceof KubeError) throw error;
      throw lost(what, error);
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", abort);
      outgoing.destroy();
    }
  }

  async #exchange(
    verb: Verb,
    url: URL,
    body: Buffer | undefined,
    headers: Readonly<Record<string, string>>,
    { signal, check, timeoutMs = requestTimeoutMs }: KubeRequest,
  ): Promise<unknown> {
    const what = `${verb} ${url.pathname}`;
    if (signal?.aborted === true) throw new KubeError("aborted", `${what}: told to stop`);
    check?.();
    const outgoing = this.#open(verb, url, headers, false);
    let failure: KubeError | undefined;
    const fail = (error: KubeError): void => {
      failure ??= error;
      outgoing.destroy();
    };
    const timer = setTimeout(() => {
      fail(new KubeError("timeout", `${what}: no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    const abort = (): void => fail(new KubeError("aborted", `${what}: told to stop`));
    signal?.addEventListener("abort", abort);
    let begun = false;
    try {
      outgoing.end(body);
      const response = await answerTo(outgoing);
      begun = true;
      response.setEncoding("utf8");
      let text = "";
      for await (const chunk of response as AsyncIterable<string>) text += chunk;
      const status = response.statusCode ?? 0;
      if (status < 200 || status > 299) throw answered(what, response, text);
      return parsed(what, status, text);
    } catch (error) {
      if (failure !== undefined) throw failure;
      if (error instanceof KubeError) throw error;
      const failed = lost(what, error);
      throw !begun && outgoing.reusedSocket ? new StaleConnection(failed) : failed;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  #open(
    verb: Verb,
    url: URL,
    headers: Readonly<Record<string, string>>,
    stream: boolean,
  ): http.ClientRequest {
    const { request } = url.protocol === "http:" ? http : https;
    const agent = stream ? this.#streamAgent : this.#agent;
    const outgoing = request(url, { method: verb, headers, agent });
    if (stream) outgoing.end();
    return outgoing;
  }

  async #headers(): Promise<Record<string, string>> {
    return {
      accept: "application/json",
      "user-agent": this.#userAgent,
      ...(await this.#access.headers()),
    };
  }

  #url(path: string, query: KubeRequest["query"] = {}): URL {
    const { server } = this.#access;
    const url = new URL(server);
    // A server behind a gateway has a path of its own.
    url.pathname = server.pathname.replace(/\/$/u, "") + path;
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    return url;
  }
}

/** A client that has `check` asked before everything that is not a GET: it throws where nothing may be written. */
export function guarded(client: KubeClient, check: () => void): KubeClient {
  return {
    request: (verb, path, request) =>
      client.request(verb, path, verb === "GET" ? request : { ...request, check }),
    lines: (path, request) => client.lines(path, request),
  };
}

/**
 * The server had closed the kept connection, most likely before it saw the request, which is then
 * repeated once. Never leaves this file.
 */
class StaleConnection extends Error {
  readonly lost: KubeError;

  constructor(lost: KubeError) {
    super(lost.message);
    this.lost = lost;
  }
}

async function answerTo(outgoing: http.ClientRequest): Promise<http.IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
  outgoing.once("response", resolve);
  outgoing.on("error", reject);
  outgoing.once("close", () => reject(new Error("closed before an answer came")));
  return await promise;
}

function answered(
  what: string,
  { statusCode, headers }: http.IncomingMessage,
  body: string,
): KubeError {
  return KubeError.fromAnswer(what, statusCode ?? 0, body, headers["retry-after"]);
}

/** What comes may be from something in between, such as a gateway's page to log in. */
function parsed(what: string, status: number, body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch (cause) {
    const message = `${what}: the API server answered ${status} with what is not JSON: ${body.slice(0, 300)}`;
    throw new KubeError("server-error", message, { cause, status });
  }
}

function lost(what: string, cause: unknown): KubeError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new KubeError("unreachable", `${what}: no connection to the API server: ${why}`, {
    cause,
  });
}
