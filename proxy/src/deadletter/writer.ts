import { KafkaError, type Logger } from "@kafkaproxy/kafka";
import type { DeadRecord } from "../dispatch/index.ts";
import { type Letter, letterBytes, type LetterForm, letterForms, writeLetter } from "./letter.ts";
import type { LetterLog } from "./letter-log.ts";

/** A dead record that is durable in the dead-letter topic. */
export interface WrittenLetter {
  readonly partition: number;
  readonly offset: number;
  /** Timestamp of the source record. */
  readonly timestamp: number;
  readonly disposition: DeadRecord["disposition"];
  readonly form: LetterForm;
  readonly log: { readonly topic: string; readonly partition: number; readonly offset: number };
}

export interface LetterWriterOptions {
  readonly topic: string;
  readonly consumerGroup: string;
  readonly log: LetterLog;
  /** False when a late ack has settled it, or its partition was set back: it is not written then. */
  readonly isDying: (dead: DeadRecord) => boolean;
  /** It is durable: settle and index it. */
  readonly written: (letter: WrittenLetter) => void;
  /** Monotonic ms, and ms since 1970. */
  readonly now: () => number;
  readonly wallClock: () => number;
  /** 0 to 1, for the jitter of retries. */
  readonly random: () => number;
  readonly logger: Logger;
}

export interface LetterWriterStatus {
  /** Dead records that are not durable yet. */
  readonly waiting: number;
  /** Why they wait; undefined while writing goes well. */
  readonly problem?: { readonly message: string; readonly code: string; readonly forMs: number };
}

/** One write at a time for a partition, so that its letters keep their order; so many partitions at once. */
const maxConcurrent = 4;
const batchLimit = { records: 100, bytes: 512 * 1024 };
const retryMs = { first: 500, longest: 30_000 };

interface Waiting {
  readonly dead: DeadRecord;
  readonly diedAt: number;
  form: LetterForm;
  /** Written alone, since a batch with it was refused. */
  alone: boolean;
}

interface Lane {
  readonly partition: number;
  queue: Waiting[];
  running: Promise<void> | undefined;
  failures: number;
  retry: NodeJS.Timeout | undefined;
  /** The partition is being given up: nothing new is started. */
  held: boolean;
}

/**
 * Dead records into the dead-letter topic. What can't be written waits, unsettled and visible, and is tried
 * again until it can: it is never dropped, and holds up nothing but itself. Its memory is the window's.
 */
export class LetterWriter {
  readonly #options: LetterWriterOptions;
  readonly #lanes = new Map<number, Lane>();
  #running = 0;
  #closed = false;
  #problem: { readonly error: Error; readonly since: number } | undefined;

  constructor(options: LetterWriterOptions) {
    this.#options = options;
  }

  get status(): LetterWriterStatus {
    let waiting = 0;
    for (const lane of this.#lanes.values()) waiting += lane.queue.length;
    if (this.#problem === undefined) return { waiting };
    const { error, since } = this.#problem;
    const code = error instanceof KafkaError ? error.code : error.name;
    return {
      waiting,
      problem: { message: error.message, code, forMs: this.#options.now() - since },
    };
  }

  /** True while this record waits to be written. */
  has(partition: number, offset: number): boolean {
    const queue = this.#lanes.get(partition)?.queue;
    return queue?.some((waiting) => waiting.dead.record.offset === offset) ?? false;
  }

  add(dead: DeadRecord): void {
    if (this.#closed) return;
    let lane = this.#lanes.get(dead.partition);
    if (lane === undefined) {
      lane = {
        partition: dead.partition,
        queue: [],
        running: undefined,
        failures: 0,
        retry: undefined,
        held: false,
      };
      this.#lanes.set(dead.partition, lane);
    }
    lane.queue.push({ dead, diedAt: this.#options.now(), form: "whole", alone: false });
    this.#next();
  }

  /** Starts no more writes of these partitions; resolves when those in flight have ended. */
  async settle(partitions: readonly number[]): Promise<void> {
    await Promise.all(
      partitions.map(async (partition) => {
        const lane = this.#lanes.get(partition);
        if (lane === undefined) return;
        lane.held = true;
        await lane.running;
      }),
    );
  }

  /** The partition is another's now: what waits is written there. */
  forget(partition: number): void {
    const lane = this.#lanes.get(partition);
    if (lane === undefined) return;
    this.#lanes.delete(partition);
    clearTimeout(lane.retry);
    lane.queue = [];
    if (this.status.waiting === 0) this.#problem = undefined;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const lanes = [...this.#lanes.values()];
    for (const lane of lanes) clearTimeout(lane.retry);
    await Promise.all(lanes.map(async (lane) => await lane.running));
  }

  #next(): void {
    for (const lane of this.#lanes.values()) {
      if (this.#closed || this.#running >= maxConcurrent) return;
      if (lane.held || lane.running !== undefined || lane.retry !== undefined) continue;
      if (lane.queue.length === 0) continue;
      // Last in turn from now on.
      this.#lanes.delete(lane.partition);
      this.#lanes.set(lane.partition, lane);
      this.#running++;
      lane.running = this.#write(lane).finally(() => {
        lane.running = undefined;
        this.#running--;
        this.#next();
      });
      // The map has changed under the loop.
      this.#next();
      return;
    }
  }

  async #write(lane: Lane): Promise<void> {
    // Everything that dies in one turn of the event loop goes in one batch.
    await Promise.resolve();
    lane.queue = lane.queue.filter(({ dead }) => this.#options.isDying(dead));
    const { batch, letters } = this.#batch(lane);
    if (batch.length === 0) {
      lane.failures = 0;
      if (this.status.waiting === 0) this.#problem = undefined;
      return;
    }
    try {
      const at = await this.#options.log.append(lane.partition, letters);
      this.#succeeded(lane, batch, at);
    } catch (error) {
      this.#failed(lane, batch, error instanceof Error ? error : new Error(String(error)));
    }
  }

  #batch(lane: Lane): { batch: Waiting[]; letters: Letter[] } {
    const { topic, consumerGroup, now, wallClock } = this.#options;
    const skew = wallClock() - now();
    const batch: Waiting[] = [];
    const letters: Letter[] = [];
    let bytes = 0;
    for (const waiting of lane.queue) {
      if (batch.length > 0 && (waiting.alone || batch[0]?.alone === true)) break;
      const { firstDeliveredAt } = waiting.dead;
      const letter = writeLetter(
        waiting.dead,
        {
          topic,
          consumerGroup,
          firstDeliveredAt: firstDeliveredAt === undefined ? undefined : firstDeliveredAt + skew,
          deadAt: waiting.diedAt + skew,
        },
        waiting.form,
      );
      const size = letterBytes(letter);
      if (batch.length > 0 && bytes + size > batchLimit.bytes) break;
      batch.push(waiting);
      letters.push(letter);
      bytes += size;
      if (batch.length === batchLimit.records) break;
    }
    return { batch, letters };
  }

  #succeeded(
    lane: Lane,
    batch: readonly Waiting[],
    at: { readonly topic: string; readonly partition: number; readonly baseOffset: number },
  ): void {
    if (this.#problem !== undefined) {
      this.#options.logger.info({ topic: at.topic }, "the dead-letter topic takes records again");
      this.#problem = undefined;
    }
    lane.failures = 0;
    // Given up or lost meanwhile: the next owner writes it again, and the index keeps the first.
    if (this.#lanes.get(lane.partition) !== lane) return;
    lane.queue = lane.queue.slice(batch.length);
    for (const [index, { dead, form }] of batch.entries()) {
      this.#options.written({
        partition: lane.partition,
        offset: dead.record.offset,
        timestamp: dead.record.timestamp,
        disposition: dead.disposition,
        form,
        log: { topic: at.topic, partition: at.partition, offset: at.baseOffset + index },
      });
    }
  }

  #failed(lane: Lane, batch: readonly Waiting[], error: Error): void {
    if (this.#lanes.get(lane.partition) !== lane) return;
    const refusal = error instanceof KafkaError && !error.retriable ? error.code : undefined;
    const first = batch[0];
    if (refusal !== undefined && batch.length > 1) {
      // One of them is refused: alone, the others pass.
      for (const waiting of batch) waiting.alone = true;
      return;
    }
    if (refusal === "record-too-large" && first !== undefined && first.form !== "bare") {
      first.form = letterForms[letterForms.indexOf(first.form) + 1] ?? "bare";
      first.alone = true;
      return;
    }
    if (first !== undefined && refusal === "refused") {
      // Behind the others: it waits for the topic's rules to change, they need not.
      lane.queue = [...lane.queue.slice(1), first];
    }
    this.#problem ??= this.#reported(error);
    const { random } = this.#options;
    const pauseMs = Math.min(retryMs.first * 2 ** lane.failures, retryMs.longest);
    lane.failures = Math.min(lane.failures + 1, 16);
    lane.retry = setTimeout(
      () => {
        lane.retry = undefined;
        this.#next();
      },
      pauseMs * (0.75 + random() / 2),
    );
  }

  #reported(error: Error): { error: Error; since: number } {
    // Once for an outage, not once for a try.
    this.#options.logger.error(
      { err: error, waiting: this.status.waiting },
      "the dead-letter topic refuses records: they wait unsettled, the others go on",
    );
    return { error, since: this.#options.now() };
  }
}
