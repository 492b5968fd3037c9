// A TCP relay in front of a server, for the faults of a network.
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface Relay {
  /** `127.0.0.1:port`, to be used in place of the server's. */
  readonly address: string;
  /** Ends all connections now. */
  cut(): void;
  /** Ends each open connection when the server has sent so many bytes more. */
  cutAfter(bytes: number): void;
  /** From now on nothing gets through either way; connections stay open, and new ones are taken. */
  stall(): void;
  /** Ends all connections, and every new one at once. */
  refuse(): void;
  /** As at first. What came in while it stalled is passed on. */
  restore(): void;
  close(): Promise<void>;
}

/** `target`: `host:port`. */
export async function startRelay(target: string): Promise<Relay> {
  const at = target.lastIndexOf(":");
  const host = target.slice(0, at);
  const port = Number(target.slice(at + 1));
  const pairs = new Set<readonly [client: Socket, server: Socket]>();
  let mode: "through" | "stalled" | "refusing" = "through";
  let bytesLeft = Number.POSITIVE_INFINITY;

  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  const listener = createServer((client) => {
    if (mode === "refusing") {
      client.destroy();
      return;
    }
    const server = connect(port, host);
    const pair = [client, server] as const;
    pairs.add(pair);
    for (const socket of pair) {
      socket.setNoDelay();
      socket.on("error", () => undefined); // close follows and ends the other half
      socket.on("close", () => {
        pairs.delete(pair);
        for (const half of pair) half.destroy();
      });
    }
    client.on("data", (chunk) => server.write(chunk));
    server.on("data", (chunk: Buffer) => {
      const part = chunk.subarray(0, Math.min(chunk.length, bytesLeft));
      bytesLeft -= part.length;
      client.write(part, () => {
        if (part.length === chunk.length && bytesLeft > 0) return;
        bytesLeft = Number.POSITIVE_INFINITY;
        cut();
      });
    });
    if (mode === "stalled") for (const socket of pair) socket.pause();
  });
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(0, "127.0.0.1", resolve);
  });
  return {
    address: `127.0.0.1:${(listener.address() as AddressInfo).port}`,
    cut,
    cutAfter: (bytes) => {
      bytesLeft = bytes;
    },
    stall: () => {
      mode = "stalled";
      for (const pair of pairs) for (const socket of pair) socket.pause();
    },
    refuse: () => {
      mode = "refusing";
      cut();
    },
    restore: () => {
      mode = "through";
      bytesLeft = Number.POSITIVE_INFINITY;
      for (const pair of pairs) for (const socket of pair) socket.resume();
    },
    close: () => {
      cut();
      return new Promise((resolve) => listener.close(() => resolve()));
    },
  };
}
