import type { KafkaConnection, KafkaSettings, Logger } from "@kafkaproxy/kafka";
import { groupPath, parseMsgId, type RegistryTarget, WireError } from "@kafkaproxy/wire";
import type { ZooKeeperSession } from "@kafkaproxy/zookeeper";
import type { DeadRecord } from "../dispatch/index.ts";
import { findLetter, type LetterAnswer } from "./find-letter.ts";
import { Indexer } from "./indexer.ts";
import { LetterIndex } from "./letter-index.ts";
import { KafkaLetterLog } from "./letter-log.ts";
import { KafkaLetterTopic } from "./letter-topic.ts";
import { LetterWriter, type LetterWriterStatus, type WrittenLetter } from "./writer.ts";

export interface DeadLettersOptions {
  readonly connection: KafkaConnection;
  readonly settings: KafkaSettings;
  readonly session: ZooKeeperSession;
  readonly target: RegistryTarget;
  /** The dead-letter topic. */
  readonly topic: string;
  readonly maxEntries: number;
  /** False when it is settled by now: a late ack counts. */
  readonly isDying: (dead: DeadRecord) => boolean;
  /** It is durable: settle it. */
  readonly written: (letter: WrittenLetter) => void;
  readonly now: () => number;
  readonly wallClock: () => number;
  readonly random: () => number;
  readonly logger: Logger;
}

export interface DeadLettersStatus extends LetterWriterStatus {
  readonly topic: string;
  /** In the index, of the partitions that are ours. */
  readonly retained: number;
  /** RFC 3339; undefined for never. */
  readonly lastAt: string | undefined;
  /** Partitions whose index is behind the topic. */
  readonly behind: readonly number[];
}

/** Dead records of one proxy: into the topic, into the index, and back. */
export class DeadLetters {
  readonly #options: DeadLettersOptions;
  readonly #writer: LetterWriter;
  readonly #topic: KafkaLetterTopic;
  readonly #indexer: Indexer;

  constructor(options: DeadLettersOptions) {
    const { connection, settings, session, target, topic, logger, now, wallClock } = options;
    this.#options = options;
    const source = { topic: target.topic, consumerGroup: target.consumerGroup };
    this.#topic = new KafkaLetterTopic({ connection, settings, topic, source, logger });
    this.#indexer = new Indexer({
      index: new LetterIndex(session, groupPath(target)),
      topic: this.#topic,
      maxEntries: options.maxEntries,
      now,
      wallClock,
      logger,
    });
    this.#writer = new LetterWriter({
      ...source,
      log: new KafkaLetterLog({ connection, sourceTopic: target.topic, topic, now, logger }),
      isDying: options.isDying,
      written: (letter) => {
        options.written(letter);
        this.#indexer.written(letter);
      },
      now,
      wallClock,
      random: options.random,
      logger,
    });
  }

  get status(): DeadLettersStatus {
    const { retained, lastAt } = this.#indexer.summary;
    return {
      topic: this.#options.topic,
      retained,
      lastAt: lastAt === "" ? undefined : lastAt,
      behind: this.#indexer.behind,
      ...this.#writer.status,
    };
  }

  /** The partition is ours: its index is repaired if it has to be. */
  gained(partition: number): void {
    this.#indexer.add(partition);
  }

  add(dead: DeadRecord): void {
    this.#writer.add(dead);
  }

  /** Before partitions are given up: resolves when nothing of them is being written. */
  async settle(partitions: readonly number[]): Promise<void> {
    await this.#writer.settle(partitions);
  }

  gone(partition: number): void {
    this.#writer.forget(partition);
    this.#indexer.remove(partition);
  }

  async find(msgId: string): Promise<LetterAnswer> {
    const waiting = this.#waiting(msgId);
    if (waiting !== undefined) return { kind: "not-yet-indexed", message: waiting };
    const { connection, settings, session, target, topic, logger } = this.#options;
    return await findLetter(
      { connection, settings, session, target, deadLetterTopic: topic, logger },
      msgId,
    );
  }

  async close(): Promise<void> {
    this.#topic.close();
    await this.#writer.close();
    await this.#indexer.close();
  }

  #waiting(text: string): string | undefined {
    try {
      const id = parseMsgId(text);
      if (id.topic !== this.#options.target.topic) return undefined;
      if (!this.#writer.has(id.partition, id.offset)) return undefined;
      return `${text} is dead and waits to be written to ${this.#options.topic}.`;
    } catch (error) {
      // What is wrong with it is the look-up's to say.
      if (error instanceof WireError) return undefined;
      throw error;
    }
  }
}
