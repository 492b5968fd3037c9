import { parseRegistryRecord, proxiesPath, type RegistryTarget } from "@kafkaproxy/wire";
import { type ChildrenWatch, ZooKeeperSession } from "@kafkaproxy/zookeeper";
import { wordsOf } from "../client-error.ts";
import type { Logger } from "../logger.ts";
import type { DiscoveredProxy, Discovery } from "./discovery.ts";

export interface RegistryOptions {
  readonly servers: string;
  readonly auth: { readonly scheme: "digest"; readonly credentials: string } | undefined;
  readonly target: RegistryTarget;
  readonly logger: Logger;
  /** The registry is read again this often, should a change have been missed. Default 30,000 ms. */
  readonly resyncMs?: number;
}

/** The proxies of a group as they register themselves in ZooKeeper. */
export function registryDiscovery(options: RegistryOptions): Discovery {
  const { servers, auth, target, logger, resyncMs } = options;
  const session = new ZooKeeperSession({
    servers,
    logger,
    ...(auth === undefined ? {} : { auth }),
  });
  let watch: ChildrenWatch | undefined;
  return {
    start(listener) {
      session.start();
      watch = session.watchChildren(
        proxiesPath(target),
        (children) => listener(readChildren(children, logger)),
        resyncMs === undefined ? {} : { resyncMs },
      );
    },
    async close() {
      watch?.close();
      await session.close();
    },
  };
}

/** A node that can't be read is said and left out: the other proxies work all the same. */
export function readChildren(
  children: ReadonlyMap<string, Uint8Array>,
  logger: Logger,
): DiscoveredProxy[] {
  const proxies: DiscoveredProxy[] = [];
  for (const [node, data] of children) {
    try {
      const { host, port, tls, instance, started } = parseRegistryRecord(data);
      proxies.push({ instance, host, port, tls, stamp: started });
    } catch (error) {
      logger.warn({ node, reason: wordsOf(error) }, "a proxy's registry entry can't be read");
    }
  }
  return proxies;
}
