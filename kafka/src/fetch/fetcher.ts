import { KafkaConnection, backoffMs, pause, silentLogger } from "../connection/index.ts";
import type { KafkaSettings, Logger } from "../connection/index.ts";
import { KafkaError } from "../errors.ts";
import { logOffsets } from "../offsets/index.ts";
import { BatchDecoder } from "../records/index.ts";
import type { DecodedBatches, KafkaRecord } from "../records/index.ts";
import { fetchMessage } from "./protocol.ts";
import type { FetchedPartition } from "./protocol.ts";

export interface FetchedBatch {
  readonly partition: number;
  /**
   * In offset order; may be empty when only control or aborted records lay there. Keys, values and
   * headers are slices of the whole answer of up to `maxBytes`, or of a whole batch decompressed: copy
   * what is kept for long, and with `reusesMemory` all that is kept. All partitions' last batches together
   * hold about `maxBytes` and one record batch each: what an answer brought more of is handed out after
   * these, unless the partition is paused.
   */
  readonly records: readonly KafkaRecord[];
  /** Where the next fetch starts: past compaction gaps, control batches and aborted records. */
  readonly nextOffset: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  /** Of the records, decompressed. */
  readonly bytes: number;
}

export interface FetcherHandlers {
  batch(batch: FetchedBatch): void;
  /** The partition stops until `add()` again. */
  outOfRange(
    partition: number,
    offset: number,
    range: { readonly earliest: number; readonly latest: number },
  ): void;
  /**
   * What was met and is tried again by itself: a corrupt batch (never skipped), a missing
   * permission, a topic that is gone.
   */
  error?(error: KafkaError, partition?: number): void;
}

export interface FetcherOptions {
  readonly settings: KafkaSettings;
  readonly topic: string;
  /** How long a broker may hold an empty answer back. Default 500. */
  readonly maxWaitMs?: number;
  /** Of one answer; up to two are under way for each leader. Default 16 MiB. */
  readonly maxBytes?: number;
  /** Of one partition in an answer. Default 1 MiB. */
  readonly maxBytesPerPartition?: number;
  /** What was handed out is overwritten once the handler has returned. Default false. */
  readonly reusesMemory?: boolean;
  readonly handlers: FetcherHandlers;
  readonly logger?: Logger;
}

interface Position {
  offset: number;
  paused: boolean;
  /** Failures in a row. */
  failures: number;
  /** Not before this monotonic time. */
  notBefore: number;
  /** Asked for in a request under way. */
  asked: boolean;
}

/**
 * Two for each leader: a partition that is added or resumed while the others wait at the broker for
 * records does not wait with them.
 */
const lanes = ["fetch-0", "fetch-1"] as const;

const offsetOutOfRange = 1;

/**
 * Reads partitions from where each is told to start, read committed, at most two requests in flight
 * for each leader, never two for one partition. Leaders that move, brokers that die and topics that come late are waited for.
 */
export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #connection: KafkaConnection;
  readonly #logger: Logger;
  readonly #maxWaitMs: number;
  readonly #maxBytes: number;
  readonly #maxBytesPerPartition: number;
  readonly #positions = new Map<number, Position>();
  /** `leader/lane` of the requests in flight. */
  readonly #busy = new Set<string>();
  #running: Promise<void> | undefined;
  #wake: () => void = () => undefined;
  #woken = false;
  #rotation = 0;
  #bytesInFlight = 0;

  constructor(options: FetcherOptions) {
    this.#options = options;
    this.#logger = options.logger ?? options.settings.logger ?? silentLogger;
    this.#connection = new KafkaConnection(
      { ...options.settings, logger: this.#logger },
      { reusesFetchMemory: options.reusesMemory ?? false },
    );
    this.#maxWaitMs = options.maxWaitMs ?? 500;
    this.#maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
    this.#maxBytesPerPartition = options.maxBytesPerPartition ?? 1024 * 1024;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Nothing is handed out after the call. */
  async close(): Promise<void> {
    this.#positions.clear();
    await this.#connection.close();
    this.#kick();
    await this.#running;
  }

  /** Starts at `offset`, also when the partition is there already. */
  add(partition: number, offset: number): void {
    this.#positions.set(partition, {
      offset,
      paused: false,
      failures: 0,
      notBefore: 0,
      asked: false,
    });
    this.#kick();
  }

  /** Nothing of it is handed out after this returns. */
  remove(partition: number): void {
    this.#positions.delete(partition);
  }

  /** What is in flight for it is dropped, and fetched again after `resume`. */
  pause(partition: number): void {
    const position = this.#positions.get(partition);
    if (position !== undefined) position.paused = true;
  }

  resume(partition: number): void {
    const position = this.#positions.get(partition);
    if (position?.paused !== true) return;
    position.paused = false;
    this.#kick();
  }

  /** The next offset that has not been handed out; undefined for a partition that is not here. */
  position(partition: number): number | undefined {
    return this.#positions.get(partition)?.offset;
  }

  /** What the answers under way may bring at most. */
  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  async #run(): Promise<void> {
    while (!this.#connection.closed) {
      const waitMs = await this.#round();
      if (this.#connection.closed) return;
      await this.#rest(waitMs);
    }
  }

  /** Sends what can be sent; returns after how long there may be more to do. */
  async #round(): Promise<number> {
    const now = performance.now();
    const due = [...this.#positions].filter(
      ([, { paused, notBefore, asked }]) => !paused && !asked && notBefore <= now,
    );
    const byLeader = new Map<number, number[]>();
    for (const [partition] of due) {
      try {
        const leader = await this.#connection.leader(this.#options.topic, partition);
        const list = byLeader.get(leader);
        if (list === undefined) byLeader.set(leader, [partition]);
        else list.push(partition);
      } catch (cause) {
        this.#setBack(partition, cause);
      }
    }
    for (const [leader, partitions] of byLeader) {
      const lane = lanes.find((one) => !this.#busy.has(`${leader}/${one}`));
      if (lane !== undefined) void this.#fetch(leader, lane, partitions);
    }
    const waiting = [...this.#positions.values()].filter(
      ({ paused, notBefore }) => !paused && notBefore > now,
    );
    const next = Math.min(...waiting.map(({ notBefore }) => notBefore));
    return Math.max(1, next - performance.now());
  }

  async #fetch(
    leader: number,
    lane: (typeof lanes)[number],
    partitions: readonly number[],
  ): Promise<void> {
    const { topic } = this.#options;
    const asked = new Map<number, Position>();
    const start = this.#rotation % partitions.length;
    this.#rotation += 1;
    // Another partition first each time: only the first is sure of a place when the answer is full.
    for (const partition of [...partitions.slice(start), ...partitions.slice(0, start)]) {
      const position = this.#positions.get(partition);
      if (position !== undefined && !position.paused) asked.set(partition, position);
    }
    if (asked.size === 0) return;
    for (const position of asked.values()) position.asked = true;
    this.#busy.add(`${leader}/${lane}`);
    this.#bytesInFlight += this.#maxBytes;
    try {
      const answer = await this.#connection.send(
        leader,
        fetchMessage({
          topic,
          maxWaitMs: this.#maxWaitMs,
          maxBytes: this.#maxBytes,
          maxBytesPerPartition: this.#maxBytesPerPartition,
          partitions: [...asked].map(([partition, { offset }]) => ({ partition, offset })),
        }),
        { lane, timeoutMs: this.#maxWaitMs + this.#connection.requestTimeoutMs },
      );
      if (answer.errorCode !== 0) {
        throw KafkaError.fromProtocol(answer.errorCode, `fetch of topic ${topic}`);
      }
      for (const fetched of answer.partitions) {
        const position = asked.get(fetched.partition);
        if (position !== undefined) await this.#take(fetched, position);
      }
    } catch (cause) {
      this.#connection.forget(topic);
      for (const [partition, position] of asked) {
        if (this.#positions.get(partition) === position) this.#setBack(partition, cause);
      }
    } finally {
      this.#bytesInFlight -= this.#maxBytes;
      this.#busy.delete(`${leader}/${lane}`);
      for (const position of asked.values()) position.asked = false;
      this.#kick();
    }
  }

  /** One partition of an answer, unless it was removed, started anew or paused meanwhile. */
  async #take(fetched: FetchedPartition, position: Position): Promise<void> {
    const { topic } = this.#options;
    const { partition, errorCode, records } = fetched;
    const current = (): boolean => this.#positions.get(partition) === position;
    if (!current() || position.paused) return;
    try {
      if (errorCode === offsetOutOfRange) {
        position.notBefore = Number.POSITIVE_INFINITY;
        void this.#reportRange(partition, position);
        return;
      }
      if (errorCode !== 0) {
        this.#connection.forget(topic);
        throw KafkaError.fromProtocol(errorCode, `fetch of topic ${topic}, partition ${partition}`);
      }
      const decoder = new BatchDecoder(records, {
        fetchOffset: position.offset,
        abortedTransactions: fetched.abortedTransactions,
        maxBytes: Math.min(this.#maxBytesPerPartition, this.#maxBytes / this.#positions.size),
      });
      while (current() && !position.paused) {
        const decoded = decoder.next();
        position.failures = 0;
        if (decoded.nextOffset === position.offset) return;
        this.#handOut(fetched, decoded, position);
        // Decoding takes tens of milliseconds: let timers and sockets in between.
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        if (!decoded.partial) return;
      }
    } catch (cause) {
      if (current()) this.#setBack(partition, cause);
    }
  }

  #handOut(fetched: FetchedPartition, decoded: DecodedBatches, position: Position): void {
    const before = position.offset;
    position.offset = decoded.nextOffset;
    try {
      this.#options.handlers.batch({
        partition: fetched.partition,
        records: decoded.records,
        nextOffset: decoded.nextOffset,
        highWatermark: fetched.highWatermark,
        lastStableOffset: fetched.lastStableOffset,
        logStartOffset: fetched.logStartOffset,
        bytes: decoded.bytes,
      });
    } catch (error) {
      // Not taken: it comes again.
      position.offset = before;
      throw error;
    }
  }

  async #reportRange(partition: number, position: Position): Promise<void> {
    const { topic, handlers } = this.#options;
    try {
      const range = (await logOffsets(this.#connection, topic, [partition])).get(partition);
      if (range === undefined || this.#positions.get(partition) !== position) return;
      position.notBefore = 0;
      // Between the two requests the log may have moved so that the offset is in it after all.
      if (position.offset >= range.earliest && position.offset <= range.latest) return;
      this.#positions.delete(partition);
      handlers.outOfRange(partition, position.offset, range);
    } catch (cause) {
      if (this.#positions.get(partition) === position) this.#setBack(partition, cause);
    } finally {
      this.#kick();
    }
  }

  #setBack(partition: number, cause: unknown): void {
    const position = this.#positions.get(partition);
    if (position === undefined || this.#connection.closed) return;
    const error =
      cause instanceof KafkaError
        ? cause
        : new KafkaError("unreachable", `fetch of partition ${partition}: ${String(cause)}`, {
            cause,
          });
    position.notBefore = performance.now() + backoffMs(position.failures);
    position.failures += 1;
    if (error.retriable && error.code !== "corrupt-batch") {
      this.#logger.debug({ error, partition }, "fetch: trying again");
    } else {
      this.#logger.error({ error, partition }, "fetch: the partition can't be read, trying again");
    }
    this.#options.handlers.error?.(error, partition);
  }

  #kick(): void {
    this.#woken = true;
    this.#wake();
  }

  async #rest(ms: number): Promise<void> {
    if (!this.#woken) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      if (Number.isFinite(ms)) {
        await pause(ms, woken.signal);
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
    this.#woken = false;
  }
}
