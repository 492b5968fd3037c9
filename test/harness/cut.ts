import { createServer, connect as dial, type Socket } from "node:net";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

/** A TCP forwarder on loopback whose connections a test can cut. */
export interface Cut {
  readonly port: number;
  /** Connections taken so far. */
  readonly connections: number;
  /** Where to forward to, `host:port`. */
  target(address: string): void;
  /** Cuts all connections and takes none for so long. */
  off(durationMs: number): Promise<void>;
  close(): Promise<void>;
}

export async function cutProxy(): Promise<Cut> {
  const sockets = new Set<Socket>();
  let to: { host: string; port: number } | undefined;
  let open = true;
  let connections = 0;
  const server = createServer((near) => {
    if (!open || to === undefined) {
      near.destroy();
      return;
    }
    connections += 1;
    const far = dial(to);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.pipe(other);
      // Either end may be reset by the cut: that is the point of it.
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const cutAll = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port,
    get connections() {
      return connections;
    },
    target(text) {
      const [host = "", portText] = text.split(":");
      to = { host, port: Number(portText) };
    },
    async off(durationMs) {
      open = false;
      cutAll();
      await delay(durationMs);
      open = true;
    },
    async close() {
      cutAll();
      server.close();
      await once(server, "close");
    },
  };
}
