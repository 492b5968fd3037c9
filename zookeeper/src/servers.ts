import { ZooKeeperError } from "./zookeeper-error.ts";

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

const defaultPort = 2181;
// host, host:port, [v6] or [v6]:port
const entryPattern = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/;

/** Reads `host:port,host:port`; the port is 2181 when left out. Throws `bad-arguments`, for a chroot too. */
export function parseServers(servers: string): ServerAddress[] {
  if (servers.includes("/")) {
    throw new ZooKeeperError(
      "bad-arguments",
      `servers: found ${JSON.stringify(servers)}; a path behind the servers (chroot) is not supported, put it in front of the node paths`,
    );
  }
  return servers.split(",").map((part) => {
    const entry = part.trim();
    const [, v6, name, portText] = entryPattern.exec(entry) ?? [];
    const host = v6 ?? name;
    const port = portText === undefined ? defaultPort : Number(portText);
    if (host === undefined || port < 1 || port > 65_535) {
      throw new ZooKeeperError(
        "bad-arguments",
        `servers: found ${JSON.stringify(entry)}, allowed is host:port,host:port`,
      );
    }
    return { host, port };
  });
}
