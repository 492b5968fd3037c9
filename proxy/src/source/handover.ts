import { createHash } from "node:crypto";
import type { Logger } from "@kafkaproxy/kafka";
import type { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import { patiently } from "./patience.ts";

/** The commit that an overflow belongs to. */
export interface CommittedPosition {
  readonly offset: number;
  readonly metadata: string;
}

/** What a commit's metadata has no room for, left by a partition's owner for the next one. */
export interface HandoverStore {
  /** Before the commit that it belongs to: who sees the commit finds it. False: it could not be left. */
  leave(partition: number, commit: CommittedPosition, overflow: Uint8Array): Promise<boolean>;
  /** What was left with this very commit; undefined for none, or when it can't be read now. */
  find(partition: number, commit: CommittedPosition): Promise<Uint8Array | undefined>;
  /** What was left with this very commit, when a later one stands; best effort. What a later owner has left stays. */
  remove(partition: number, commit: CommittedPosition): Promise<void>;
}

/**
 * ZooKeeper's limit for a node is 1 MiB with its framing. 100,000 settled records above a watermark take
 * far less as a bitmap; what is larger is not left, and is replayed.
 */
const maxBytes = 1_000_000;
const digestBytes = 32;

/**
 * `<group path>/handover/<partition>`: a digest of the commit, then the overflow. The watermark alone would not do:
 * a node that was left behind, and a topic made anew that stands at the same offset, would settle records that
 * nobody has seen.
 */
export class ZooKeeperHandover implements HandoverStore {
  readonly #session: ZooKeeperSession;
  readonly #path: string;
  readonly #logger: Logger;

  constructor(session: ZooKeeperSession, groupPath: string, logger: Logger) {
    this.#session = session;
    this.#path = `${groupPath}/handover`;
    this.#logger = logger;
  }

  async leave(
    partition: number,
    commit: CommittedPosition,
    overflow: Uint8Array,
  ): Promise<boolean> {
    const data = Buffer.concat([digest(commit), overflow]);
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

  async find(partition: number, commit: CommittedPosition): Promise<Uint8Array | undefined> {
    return await this.#attempt(
      partition,
      "read",
      async () => {
        const node = await this.#session.get(this.#node(partition));
        if (node === undefined || !belongsTo(node.data, commit)) return undefined;
        return node.data.subarray(digestBytes);
      },
      undefined,
    );
  }

  async remove(partition: number, commit: CommittedPosition): Promise<void> {
    await this.#attempt(
      partition,
      "removed",
      async () => {
        const node = await this.#session.get(this.#node(partition));
        if (node === undefined || !belongsTo(node.data, commit)) return;
        await this.#session.remove(this.#node(partition), { version: node.version });
      },
      undefined,
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
    try {
      return await patiently(this.#session, work);
    } catch (error) {
      this.#logger.warn({ err: error, partition }, `the hand-over overflow could not be ${verb}`);
      return otherwise;
    }
  }
}

function belongsTo(data: Buffer, commit: CommittedPosition): boolean {
  return data.subarray(0, digestBytes).equals(digest(commit));
}

function digest({ offset, metadata }: CommittedPosition): Buffer {
  return createHash("sha256").update(`${offset}\n${metadata}`).digest();
}
