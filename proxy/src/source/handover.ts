import type { Logger } from "@kafkaproxy/kafka";
import type { ZooKeeperSession } from "@kafkaproxy/zookeeper";

/** What a commit's metadata has no room for, left by a partition's owner for the next one. */
export interface HandoverStore {
  /** Before the commit that it belongs to: who sees the commit finds it. False: it could not be left. */
  leave(partition: number, watermark: number, overflow: Uint8Array): Promise<boolean>;
  /** What was left for this watermark; undefined for none, or when it can't be read now. */
  find(partition: number, watermark: number): Promise<Uint8Array | undefined>;
  /** After takeover; best effort. */
  remove(partition: number): Promise<void>;
}

/**
 * ZooKeeper's limit for a node is 1 MiB with its framing. 100,000 settled records above a watermark take
 * far less as a bitmap; what is larger is not left, and is replayed.
 */
const maxBytes = 1_000_000;
const headerBytes = 8;

/** `<group path>/handover/<partition>`: the watermark as a big-endian u64, then the overflow. */
export class ZooKeeperHandover implements HandoverStore {
  readonly #session: ZooKeeperSession;
  readonly #path: string;
  readonly #logger: Logger;

  constructor(session: ZooKeeperSession, groupPath: string, logger: Logger) {
    this.#session = session;
    this.#path = `${groupPath}/handover`;
    this.#logger = logger;
  }

  async leave(partition: number, watermark: number, overflow: Uint8Array): Promise<boolean> {
    const data = Buffer.allocUnsafe(headerBytes + overflow.byteLength);
    data.writeBigUInt64BE(BigInt(watermark), 0);
    data.set(overflow, headerBytes);
    if (data.byteLength > maxBytes) {
      this.#logger.warn(
        { partition, bytes: data.byteLength, maxBytes },
        "what is settled above the watermark does not fit a ZooKeeper node: the next owner delivers some of it again",
      );
      return false;
    }
    return await this.#attempt(
      partition,
      "left",
      async () => {
        await this.#session.put(this.#node(partition), data);
        return true;
      },
      false,
    );
  }

  async find(partition: number, watermark: number): Promise<Uint8Array | undefined> {
    return await this.#attempt(
      partition,
      "read",
      async () => {
        const node = await this.#session.get(this.#node(partition));
        if (node === undefined || node.data.byteLength <= headerBytes) return undefined;
        if (node.data.readBigUInt64BE(0) !== BigInt(watermark)) return undefined;
        return node.data.subarray(headerBytes);
      },
      undefined,
    );
  }

  async remove(partition: number): Promise<void> {
    await this.#attempt(
      partition,
      "removed",
      async () => await this.#session.remove(this.#node(partition)),
      false,
    );
  }

  #node(partition: number): string {
    return `${this.#path}/${partition}`;
  }

  /** A partition's move does not wait for an outage of ZooKeeper: without the overflow some records come twice, none is lost. */
  async #attempt<T>(
    partition: number,
    verb: string,
    work: () => Promise<T>,
    otherwise: T,
  ): Promise<T> {
    if (this.#session.state !== "connected") return otherwise;
    try {
      return await work();
    } catch (error) {
      this.#logger.warn({ err: error, partition }, `the hand-over overflow could not be ${verb}`);
      return otherwise;
    }
  }
}
