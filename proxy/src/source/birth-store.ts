import type { Logger } from "@kafkaproxy/kafka";
import type { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import { patiently } from "./patience.ts";
import type { GroupBirth } from "./start-position.ts";

/** How many partitions the topic had when the group began, kept for the proxies that begin with it. */
export interface BirthStore {
  find(): Promise<GroupBirth | undefined>;
  record(birth: GroupBirth): Promise<void>;
}

/** `<group path>/birth`. Without ZooKeeper a new group's later partitions start at earliest: nothing is lost, some may be old. */
export class ZooKeeperBirth implements BirthStore {
  readonly #session: ZooKeeperSession;
  readonly #path: string;
  readonly #logger: Logger;

  constructor(session: ZooKeeperSession, groupPath: string, logger: Logger) {
    this.#session = session;
    this.#path = `${groupPath}/birth`;
    this.#logger = logger;
  }

  async find(): Promise<GroupBirth | undefined> {
    try {
      const node = await patiently(this.#session, async () => await this.#session.get(this.#path));
      if (node === undefined) return undefined;
      const parsed: unknown = JSON.parse(node.data.toString("utf8"));
      if (typeof parsed !== "object" || parsed === null || !("partitions" in parsed)) {
        return undefined;
      }
      return typeof parsed.partitions === "number" ? { partitions: parsed.partitions } : undefined;
    } catch (error) {
      this.#logger.warn({ err: error, path: this.#path }, "the group's birth can't be read");
      return undefined;
    }
  }

  async record(birth: GroupBirth): Promise<void> {
    try {
      const data = Buffer.from(JSON.stringify(birth));
      await patiently(this.#session, async () => {
        await this.#session.put(this.#path, data);
      });
    } catch (error) {
      this.#logger.warn({ err: error, path: this.#path }, "the group's birth can't be kept");
    }
  }
}
