/** An API server that does what a test tells it: for the faults that a real one can't be made to show. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ClusterAccess } from "./access.ts";
import { HttpKubeClient } from "./kube-client.ts";

export type Handler = (
  request: { url: URL; verb: string; body: string },
  response: ServerResponse,
) => void;

export interface ScriptedApi {
  readonly client: HttpKubeClient;
  readonly requests: string[];
  close(): Promise<void>;
}

export async function scriptedApi(handler: Handler): Promise<ScriptedApi> {
  const requests: string[] = [];
  const server: Server = createServer((request: IncomingMessage, response) => {
    const url = new URL(request.url ?? "/", "http://api");
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      requests.push(`${request.method ?? ""} ${url.pathname}${url.search}`);
      handler({ url, verb: request.method ?? "", body }, response);
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const { port } = server.address() as AddressInfo;
  const access: ClusterAccess = {
    server: new URL(`http://127.0.0.1:${port}`),
    tls: {},
    namespace: "default",
    headers: async () => ({}),
  };
  const client = new HttpKubeClient(access, { userAgent: "test" });
  return {
    client,
    requests,
    close: async () => {
      client.close();
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

export function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

export const quiet = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Waits for a state that must come; fails with `what` when it does not. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = 30_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
