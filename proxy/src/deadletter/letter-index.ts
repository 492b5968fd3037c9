import type { ZooKeeperSession } from "@kafkaproxy/zookeeper";

/** Where a dead letter lies. */
export interface IndexEntry {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Timestamp of the source record: a topic made anew uses its offsets again. */
  readonly timestamp: number;
}

/** What a partition's node says about its index. */
export interface IndexSummary {
  readonly count: number;
  /** For each partition of the dead-letter topic: what lies below this offset is indexed. */
  readonly scanned: Readonly<Record<string, number>>;
  /** Entries were pruned up to this source offset; -1 for none. */
  readonly prunedThrough: number;
  /** Log starts of the dead-letter topic's partitions that the index has been pruned for. */
  readonly logStarts: Readonly<Record<string, number>>;
  /** When the newest of them died, RFC 3339; "" for never. */
  readonly lastAt: string;
}

export const emptySummary: IndexSummary = {
  count: 0,
  scanned: {},
  prunedThrough: -1,
  logStarts: {},
  lastAt: "",
};

/** A node with 100,000 children can't be listed in ZooKeeper's default buffer of 1 MiB; a sixteenth of it can. */
const buckets = 16;
/** Requests on the way to ZooKeeper at once. */
const window = 64;

/**
 * The msgId index in ZooKeeper: `<group path>/dead-letters/<partition>/<bucket>/<offset>`. Only the partition's
 * owner writes. The dead-letter topic is the truth; this can always be made again from it.
 */
export class LetterIndex {
  readonly #session: ZooKeeperSession;
  readonly #path: string;

  constructor(session: ZooKeeperSession, groupPath: string) {
    this.#session = session;
    this.#path = `${groupPath}/dead-letters`;
  }

  get reachable(): boolean {
    return this.#session.state === "connected";
  }

  async find(partition: number, offset: number): Promise<IndexEntry | undefined> {
    const node = await this.#session.get(this.#entry(partition, offset));
    return node === undefined ? undefined : parseEntry(node.data);
  }

  /** Keeps what is there already, unless it is about another record that had the same offset. True: one more entry. */
  async put(partition: number, offset: number, entry: IndexEntry): Promise<boolean> {
    const path = this.#entry(partition, offset);
    const data = Buffer.from(JSON.stringify(entry));
    if ((await this.#session.create(path, data, { parents: true })) === "created") return true;
    const found = await this.find(partition, offset);
    if (found?.timestamp !== entry.timestamp) await this.#session.put(path, data);
    return false;
  }

  async remove(partition: number, offset: number): Promise<boolean> {
    return await this.#session.remove(this.#entry(partition, offset));
  }

  async count(partition: number): Promise<number> {
    const counts = await Promise.all(
      this.#buckets(partition).map(async (path) => (await this.#session.get(path))?.numChildren),
    );
    return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  }

  /** Source offsets of all entries, ascending. */
  async offsets(partition: number): Promise<number[]> {
    const names = await Promise.all(
      this.#buckets(partition).map(async (path) => await this.#session.children(path)),
    );
    return names
      .flatMap((list) => list ?? [])
      .map(Number)
      .filter((offset) => Number.isSafeInteger(offset))
      .sort((a, b) => a - b);
  }

  async summary(partition: number): Promise<IndexSummary | undefined> {
    const node = await this.#session.get(`${this.#path}/${partition}`);
    return node === undefined || node.data.byteLength === 0 ? undefined : parseSummary(node.data);
  }

  async saveSummary(partition: number, summary: IndexSummary): Promise<void> {
    await this.#session.put(`${this.#path}/${partition}`, Buffer.from(JSON.stringify(summary)));
  }

  /** Partitions that have a node. */
  async partitions(): Promise<number[]> {
    return ((await this.#session.children(this.#path)) ?? []).map(Number);
  }

  #entry(partition: number, offset: number): string {
    return `${this.#path}/${partition}/${(offset % buckets).toString(16)}/${offset}`;
  }

  #buckets(partition: number): string[] {
    return Array.from(
      { length: buckets },
      (_, bucket) => `${this.#path}/${partition}/${bucket.toString(16)}`,
    );
  }
}

/** `work` for every item, `window` of them at once. */
export async function inWindows<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  for (let start = 0; start < items.length; start += window) {
    await Promise.all(items.slice(start, start + window).map(work));
  }
}

function parseEntry(data: Buffer): IndexEntry | undefined {
  const { topic, partition, offset, timestamp } = fields(data);
  if (
    typeof topic !== "string" ||
    typeof partition !== "number" ||
    typeof offset !== "number" ||
    typeof timestamp !== "number"
  ) {
    return undefined;
  }
  return { topic, partition, offset, timestamp };
}

function parseSummary(data: Buffer): IndexSummary | undefined {
  const { count, scanned, prunedThrough, logStarts, lastAt } = fields(data);
  if (typeof count !== "number") return undefined;
  return {
    count,
    scanned: offsets(scanned),
    prunedThrough: typeof prunedThrough === "number" ? prunedThrough : -1,
    logStarts: offsets(logStarts),
    lastAt: typeof lastAt === "string" ? lastAt : "",
  };
}

function offsets(value: unknown): Record<string, number> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(
    Object.entries(value).filter(
      (entry): entry is [string, number] => typeof entry[1] === "number",
    ),
  );
}

/** What is not ours, or broken, has no fields: it is written anew. */
function fields(data: Buffer): IndexFields {
  try {
    const value: unknown = JSON.parse(data.toString("utf8"));
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

interface IndexFields {
  readonly topic?: unknown;
  readonly partition?: unknown;
  readonly offset?: unknown;
  readonly timestamp?: unknown;
  readonly count?: unknown;
  readonly scanned?: unknown;
  readonly prunedThrough?: unknown;
  readonly logStarts?: unknown;
  readonly lastAt?: unknown;
}
