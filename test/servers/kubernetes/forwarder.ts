// Ports of this machine's loopback that lead into a node's network, through its gateway.
import { request } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { freePorts } from "../ports.ts";

export interface Forwarder {
  /** A port on 127.0.0.1 that leads to `host:port` inside; the same one for the same target. */
  forward(host: string, port: number): Promise<number>;
  /** Ends all of them and their connections. */
  close(): Promise<void>;
}

export function makeForwarder(gatewaySocket: string): Forwarder {
  const ports = new Map<string, Promise<number>>();
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  const own = (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    return socket;
  };

  const lead = (client: Socket, target: string) => {
    own(client);
    const asked = request({ socketPath: gatewaySocket, method: "CONNECT", path: target });
    asked.on("error", () => client.destroy()); // nobody there: the client sees its connection end
    client.on("error", () => undefined); // "close" follows
    asked.on("connect", (_, inside, head) => {
      const socket = own(inside);
      socket.on("error", () => client.destroy());
      client.once("close", () => socket.destroy());
      socket.once("close", () => client.destroy());
      client.write(head);
      client.pipe(socket);
      socket.pipe(client);
    });
    asked.end();
  };

  const open = async (target: string) => {
    const [port = 0] = await freePorts(1);
    const server = createServer({ allowHalfOpen: true }, (client) => lead(client, target));
    servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    return port;
  };

  return {
    forward: (host, port) => {
      const target = `${host}:${port}`;
      let found = ports.get(target);
      if (found === undefined) {
        found = open(target);
        ports.set(target, found);
      }
      return found;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(
        servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
      );
    },
  };
}
