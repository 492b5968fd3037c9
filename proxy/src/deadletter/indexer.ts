import type { Logger } from "@kafkaproxy/kafka";
import { emptySummary, type IndexSummary, inWindows, type LetterIndex } from "./letter-index.ts";
import type { WrittenLetter } from "./writer.ts";

/** A letter of ours found in the dead-letter topic. */
export type ScannedLetter = Pick<WrittenLetter, "offset" | "timestamp" | "log"> & {
  readonly deadAt: string;
};

/** What the indexer needs of the dead-letter topic. Each may throw: it is tried again. */
export interface LetterTopic {
  /** The first and the next offset of each of its partitions; empty when there is no such topic. */
  range(): Promise<ReadonlyMap<number, { readonly earliest: number; readonly latest: number }>>;
  /** Our group's letters of source partition `source` in [from, to) of the topic's `partition`, in order. Resolves with where it got to. */
  scan(
    source: number,
    partition: number,
    from: number,
    to: number,
    letter: (letter: ScannedLetter) => void,
  ): Promise<number>;
}

export interface IndexerOptions {
  readonly index: LetterIndex;
  readonly topic: LetterTopic;
  /** Entries of the whole group; the oldest are pruned. */
  readonly maxEntries: number;
  readonly now: () => number;
  readonly wallClock: () => number;
  readonly logger: Logger;
}

/** Letters waiting for the index, over all partitions. Beyond it they are found again in the topic. */
const maxQueued = 10_000;
const batchSize = 256;
const retryMs = { first: 500, longest: 10_000 };
const pruneIntervalMs = 60_000;

interface Owned {
  readonly partition: number;
  summary: IndexSummary;
  /** The index may lack letters that the topic has. */
  behind: boolean;
  queue: WrittenLetter[];
  pruneAt: number;
}

/** Keeps the msgId index of the partitions that are ours in step with the dead-letter topic. */
export class Indexer {
  readonly #options: IndexerOptions;
  readonly #owned = new Map<number, Owned>();
  #queued = 0;
  #wake: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #closed = false;
  #failures = 0;

  constructor(options: IndexerOptions) {
    this.#options = options;
  }

  /** Partitions whose index may lack letters that the topic has. */
  get behind(): number[] {
    return [...this.#owned.values()]
      .filter((owned) => owned.behind || owned.queue.length > 0)
      .map((owned) => owned.partition);
  }

  /** Dead letters that the index of our partitions knows, and when the newest died. */
  get summary(): { readonly retained: number; readonly lastAt: string } {
    let retained = 0;
    let lastAt = "";
    for (const { summary } of this.#owned.values()) {
      retained += summary.count;
      if (summary.lastAt > lastAt) lastAt = summary.lastAt;
    }
    return { retained, lastAt };
  }

  /** True when the partition is ours and its index does not have all letters yet. */
  isBehind(partition: number): boolean {
    const owned = this.#owned.get(partition);
    return owned !== undefined && (owned.behind || owned.queue.length > 0);
  }

  add(partition: number): void {
    this.#owned.set(partition, {
      partition,
      summary: emptySummary,
      behind: true,
      queue: [],
      pruneAt: 0,
    });
    this.#schedule(0);
  }

  remove(partition: number): void {
    const owned = this.#owned.get(partition);
    if (owned === undefined) return;
    this.#queued -= owned.queue.length;
    owned.queue = [];
    this.#owned.delete(partition);
  }

  written(letter: WrittenLetter): void {
    const owned = this.#owned.get(letter.partition);
    if (owned === undefined) return;
    if (this.#queued >= maxQueued) {
      // An outage of ZooKeeper: the topic has them all, they are read from it afterwards.
      owned.behind = true;
      return;
    }
    owned.queue.push(letter);
    this.#queued++;
    this.#schedule(0);
  }

  /** Writes what is queued, as far as that goes without waiting, and ends. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#wake);
    this.#wake = undefined;
    await this.#running;
  }

  #schedule(delayMs: number): void {
    if (this.#closed || this.#running !== undefined) return;
    if (delayMs === 0 && this.#failures > 0 && this.#wake !== undefined) return;
    clearTimeout(this.#wake);
    this.#wake = setTimeout(() => {
      this.#wake = undefined;
      this.#running = this.#run().finally(() => {
        this.#running = undefined;
        this.#schedule(this.#pauseMs());
      });
    }, delayMs);
  }

  #pauseMs(): number {
    if (this.#failures > 0) {
      return Math.min(retryMs.first * 2 ** (this.#failures - 1), retryMs.longest);
    }
    return this.behind.length > 0 ? 0 : pruneIntervalMs / 4;
  }

  async #run(): Promise<void> {
    try {
      if (!this.#options.index.reachable) throw new Error("ZooKeeper is not connected");
      for (const owned of this.#owned.values()) {
        if (this.#closed) return;
        if (owned.behind) await this.#repair(owned);
        while (owned.queue.length > 0 && this.#mine(owned)) await this.#drain(owned);
        if (this.#mine(owned) && this.#options.now() >= owned.pruneAt) await this.#prune(owned);
      }
      this.#failures = 0;
    } catch (error) {
      this.#failures = Math.min(this.#failures + 1, 16);
      if (this.#failures === 3) {
        this.#options.logger.warn(
          { err: error, queued: this.#queued },
          "the dead-letter index can't be written: it is repaired from the topic later",
        );
      }
    }
  }

  #mine(owned: Owned): boolean {
    return !this.#closed && this.#owned.get(owned.partition) === owned;
  }

  /** Brings the index up to what the topic has, from the saved position. */
  async #repair(owned: Owned): Promise<void> {
    const { index, topic } = this.#options;
    const { partition } = owned;
    const [saved, count, range] = await Promise.all([
      index.summary(partition),
      index.count(partition),
      topic.range(),
    ]);
    if (!this.#mine(owned)) return;
    owned.behind = false;
    try {
      const scanned = { ...saved?.scanned };
      const found: ScannedLetter[] = [];
      for (const [target, { earliest, latest }] of range) {
        // Only where our letters are, or were when the topic had another number of partitions.
        if (partition % range.size !== target && scanned[target] === undefined) continue;
        const known = scanned[target] ?? earliest;
        // Beyond the end: the topic was made anew.
        const from = known > latest ? earliest : Math.max(known, earliest);
        scanned[target] = await topic.scan(partition, target, from, latest, (letter) => {
          found.push(letter);
        });
      }
      let added = 0;
      let lastAt = saved?.lastAt ?? "";
      await inWindows(found, async (letter) => {
        if (await this.#put(partition, letter)) added++;
        if (letter.deadAt > lastAt) lastAt = letter.deadAt;
      });
      if (!this.#mine(owned)) return;
      owned.summary = { ...emptySummary, ...saved, count: count + added, scanned, lastAt };
      await index.saveSummary(partition, owned.summary);
    } catch (error) {
      owned.behind = true;
      throw error;
    }
  }

  async #drain(owned: Owned): Promise<void> {
    const { index, wallClock } = this.#options;
    const batch = owned.queue.slice(0, batchSize);
    let added = 0;
    await inWindows(batch, async (letter) => {
      if (await this.#put(owned.partition, letter)) added++;
    });
    if (!this.#mine(owned)) return;
    const scanned = { ...owned.summary.scanned };
    for (const { log } of batch) {
      scanned[log.partition] = log.offset + 1;
    }
    const lastAt = new Date(wallClock()).toISOString();
    const summary = { ...owned.summary, count: owned.summary.count + added, scanned, lastAt };
    // Letters that did not get into the queue lie below: their position must not be passed.
    if (!owned.behind) await index.saveSummary(owned.partition, summary);
    owned.summary = owned.behind ? { ...summary, scanned: owned.summary.scanned } : summary;
    owned.queue = owned.queue.slice(batch.length);
    this.#queued -= batch.length;
  }

  async #put(
    partition: number,
    letter: Pick<WrittenLetter, "offset" | "timestamp" | "log">,
  ): Promise<boolean> {
    return await this.#options.index.put(partition, letter.offset, {
      ...letter.log,
      timestamp: letter.timestamp,
    });
  }

  /** Takes out what retention has removed from the topic, and the oldest above the limit. */
  async #prune(owned: Owned): Promise<void> {
    const { index, topic, maxEntries, now } = this.#options;
    const { partition } = owned;
    owned.pruneAt = now() + pruneIntervalMs;
    const range = await topic.range();
    const logStarts: Record<string, number> = {};
    for (const [target, { earliest }] of range) logStarts[target] = earliest;
    const before = owned.summary.logStarts;
    const moved = Object.entries(logStarts).some(([target, at]) => at !== (before[target] ?? 0));
    const excess = await this.#excess(owned, maxEntries);
    if (!moved && excess === 0) return;
    const offsets = await index.offsets(partition);
    const gone = new Set(offsets.slice(0, excess));
    if (moved) {
      await inWindows(offsets.slice(excess), async (offset) => {
        const entry = await index.find(partition, offset);
        if (entry !== undefined && entry.offset < (logStarts[entry.partition] ?? 0)) {
          gone.add(offset);
        }
      });
    }
    if (!this.#mine(owned)) return;
    await inWindows([...gone], async (offset) => {
      await index.remove(partition, offset);
    });
    if (!this.#mine(owned)) return;
    owned.summary = {
      ...owned.summary,
      logStarts,
      count: Math.max(0, offsets.length - gone.size),
      prunedThrough: [...gone].reduce((a, b) => Math.max(a, b), owned.summary.prunedThrough),
    };
    await index.saveSummary(partition, owned.summary);
    if (gone.size > 0) {
      this.#options.logger.info({ partition, entries: gone.size }, "dead-letter index pruned");
    }
  }

  /** Our part of what the group has too many. */
  async #excess(owned: Owned, maxEntries: number): Promise<number> {
    const { index } = this.#options;
    const partitions = await index.partitions();
    const summaries = await Promise.all(
      partitions.map(
        async (partition) =>
          this.#owned.get(partition)?.summary ?? (await index.summary(partition)) ?? emptySummary,
      ),
    );
    const total = summaries.reduce((sum, summary) => sum + summary.count, 0);
    if (total <= maxEntries) return 0;
    return Math.ceil(((total - maxEntries) * owned.summary.count) / total);
  }
}
