import type { Logger } from "@kafkaproxy/kafka";
import {
  encodePathSegment,
  encodeRegistryRecord,
  parseRegistryRecord,
  protocolVersion,
  proxiesPath,
  type RegistryRecord,
  registryPath,
  type RegistryTarget,
} from "@kafkaproxy/wire";
import type { EphemeralNode, ZooKeeperSession } from "@kafkaproxy/zookeeper";
import type { ProxyConfig } from "../config/index.ts";
import { listens } from "./listens.ts";

export interface RegistryOptions {
  readonly session: ZooKeeperSession;
  readonly config: Pick<
    ProxyConfig,
    "namespace" | "topic" | "consumerGroup" | "instance" | "place" | "zookeeper" | "listener"
  >;
  readonly logger: Logger;
  /** ms since 1970. Default Date.now. */
  readonly wallClock?: () => number;
}

/**
 * This proxy's ephemeral node: there from register() on, over ZooKeeper's outages, restarts and expired sessions,
 * until close(). Whoever registers must be able to serve: clients come at once.
 */
export class Registry {
  readonly #options: RegistryOptions;
  #node: EphemeralNode | undefined;
  #closed = false;

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** Clients can find us, as far as we know; while ZooKeeper is away: as it was. */
  get present(): boolean {
    return this.#node?.present ?? false;
  }

  /** `port` is what the listener listens on. Asking again, or after close(), does nothing. Waits for nothing. */
  register(port: number): void {
    if (this.#node !== undefined || this.#closed) return;
    const { session, config, logger } = this.#options;
    const path = registryPath(this.#target, config.instance);
    const record = this.#record(port);
    this.#node = session.holdEphemeral(path, Buffer.from(encodeRegistryRecord(record)));
    this.#node.onChange((present) => {
      const fields = { path, host: record.host, port: record.port };
      if (present) logger.info(fields, "registered: clients can find this proxy");
      else if (!this.#closed) logger.warn(fields, "no longer registered: trying to be again");
    });
  }

  /**
   * Whether another proxy of the group is registered, and listens: the node of one that was killed stays for as long as
   * its session. False while ZooKeeper can't tell.
   */
  async hasOthers(): Promise<boolean> {
    const { session, config, logger } = this.#options;
    if (session.state !== "connected") return false;
    const path = proxiesPath(this.#target);
    try {
      const registered = (await session.children(path)) ?? [];
      const own = encodePathSegment(config.instance);
      const found = await Promise.all(
        registered
          .filter((name) => name !== own)
          .map(async (name) => {
            const node = await session.get(`${path}/${name}`);
            return node !== undefined && (await listens(parseRegistryRecord(node.data)));
          }),
      );
      return found.includes(true);
    } catch (error) {
      logger.debug({ err: error }, "ZooKeeper did not say who else is registered");
      return false;
    }
  }

  /** Clients that look find us no more. Resolves when it is so, or when ZooKeeper can't be told now. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#node?.close();
  }

  get #target(): RegistryTarget {
    const { namespace, topic, consumerGroup, zookeeper } = this.#options.config;
    return { root: zookeeper.root, namespace, topic, consumerGroup };
  }

  #record(port: number): RegistryRecord {
    const { config, wallClock = Date.now } = this.#options;
    const { advertisedHost, advertisedPort, tls } = config.listener;
    return {
      host: advertisedHost,
      port: advertisedPort ?? port,
      tls: tls !== undefined,
      protocol: protocolVersion,
      instance: config.instance,
      ...config.place,
      started: new Date(wallClock()).toISOString(),
    };
  }
}
