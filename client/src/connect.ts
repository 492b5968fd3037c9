import { hostname } from "node:os";
import { Client } from "./client.ts";
import { ClientError } from "./client-error.ts";
import { type Config, type ConnectOptions, readConfig } from "./config.ts";
import { type Discovery, fixedDiscovery, registryDiscovery } from "./discovery/index.ts";
import type { ProxyClient } from "./proxy-client.ts";

/**
 * Finds the proxies of a topic and group, and connects to all of them.
 *
 * Resolves when ZooKeeper has answered and a proxy has welcomed us, or each has been tried: having no proxy is a
 * state (`waiting`), not an error. Without arguments everything comes from the `KAFKAPROXY_*` environment.
 *
 * @throws ClientError `bad-config` with all problems at once; `zookeeper-unavailable` after `connectTimeoutMs`;
 * `unauthorized`, `wrong-target`, `untrusted` or `protocol` when every proxy refuses us for that; `aborted`.
 */
export async function connect(options: ConnectOptions = {}): Promise<ProxyClient> {
  const { signal } = options;
  const config = readConfig(options, process.env, `${hostname()}-${process.pid}`);
  throwIfAborted(signal);
  const client = new Client(config, discoveryOf(config));
  const closeAtOnce = () => void client.close({ timeoutMs: 0 });
  signal?.addEventListener("abort", closeAtOnce, { once: true });
  try {
    await client.open();
    throwIfAborted(signal);
  } catch (error) {
    signal?.removeEventListener("abort", closeAtOnce);
    await client.close({ timeoutMs: 0 });
    throwIfAborted(signal);
    throw error;
  }
  return client;
}

function discoveryOf(config: Config): Discovery {
  const { source, root, namespace, topic, consumerGroup, zookeeperAuth, logger, tls } = config;
  if (source.kind === "fixed") {
    return fixedDiscovery(source.proxies, tls !== undefined);
  }
  return registryDiscovery({
    servers: source.servers,
    auth: zookeeperAuth,
    target: { root, namespace, topic, consumerGroup },
    logger,
  });
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) {
    throw new ClientError("aborted", "connect() was aborted by its signal.", {
      cause: signal.reason,
    });
  }
}
