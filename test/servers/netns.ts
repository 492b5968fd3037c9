// Programs, and servers of this process, inside another network namespace: what pods and the API server beside them talk to has to be
// where they can reach it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";

/** A path such as `/proc/1234/ns/net`. */
export type NetworkNamespace = string;

/** The command and its arguments that run a program in `netns`, or as they are where there is none. */
export function within(
  netns: NetworkNamespace | undefined,
  command: string,
  args: readonly string[],
): { command: string; args: readonly string[] } {
  // nsenter becomes the program: its pid and the signals to it are the program's own. (`ip netns exec` would also
  // mount another /sys, where the kubelet finds no control groups.)
  return netns === undefined
    ? { command, args }
    : { command: "nsenter", args: [`--net=${netns}`, "--", command, ...args] };
}

/** Opens a port there, hands it over, and is gone; a socket stays in the namespace in which it was made. */
const opener = `
  const server = require("node:net").createServer();
  server.listen(0, "127.0.0.1", () => process.send(server.address(), server, () => process.exit()));`;

/** Lets `server` listen on 127.0.0.1 there; gives its port. */
export async function listenWithin(
  netns: NetworkNamespace | undefined,
  server: Server,
): Promise<number> {
  const { command, args } = within(netns, process.execPath, ["-e", opener]);
  const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const failed = once(child, "exit").then(([code]) => {
    throw new Error(`no port could be opened in ${netns}: exit code ${code}`);
  });
  const opened = once(child, "message") as Promise<[AddressInfo, Server]>;
  const [{ port }, handle] = await Promise.race([opened, failed]);
  server.listen(handle);
  await once(server, "listening");
  return port;
}
