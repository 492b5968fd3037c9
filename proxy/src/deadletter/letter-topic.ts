import {
  KafkaError,
  type KafkaConnection,
  type KafkaSettings,
  logOffsets,
  type Logger,
} from "@kafkaproxy/kafka";
import type { LetterTopic, ScannedLetter } from "./indexer.ts";
import { scanLetters } from "./letter-scan.ts";
import { readLetter } from "./read-letter.ts";

export interface KafkaLetterTopicOptions {
  readonly connection: KafkaConnection;
  readonly settings: KafkaSettings;
  /** The dead-letter topic. */
  readonly topic: string;
  /** Whose letters: those of other topics and groups in it are passed over. */
  readonly source: { readonly topic: string; readonly consumerGroup: string };
  readonly logger: Logger;
}

/** The dead-letter topic as the indexer reads it. */
export class KafkaLetterTopic implements LetterTopic {
  readonly #options: KafkaLetterTopicOptions;
  readonly #closing = new AbortController();

  constructor(options: KafkaLetterTopicOptions) {
    this.#options = options;
  }

  /** Ends a scan that is under way. */
  close(): void {
    this.#closing.abort();
  }

  async range(): Promise<ReadonlyMap<number, { earliest: number; latest: number }>> {
    const { connection, topic } = this.#options;
    try {
      const partitions = await connection.partitions(topic);
      const numbers = partitions.map(({ partition }) => partition);
      return await logOffsets(connection, topic, numbers);
    } catch (error) {
      // Made with the first letter.
      if (error instanceof KafkaError && error.code === "topic-not-found") return new Map();
      throw error;
    }
  }

  async scan(
    source: number,
    partition: number,
    from: number,
    to: number,
    letter: (letter: ScannedLetter) => void,
  ): Promise<number> {
    const { settings, topic, logger, source: ours } = this.#options;
    return await scanLetters({
      settings,
      topic,
      partition,
      from,
      to,
      record: (record) => {
        const found = readLetter(record);
        if (
          found !== undefined &&
          found.partition === source &&
          found.topic === ours.topic &&
          found.consumerGroup === ours.consumerGroup
        ) {
          letter({
            offset: found.offset,
            timestamp: record.timestamp,
            log: { topic, partition, offset: record.offset },
            deadAt: found.deadAt,
          });
        }
        return true;
      },
      signal: this.#closing.signal,
      logger,
    });
  }
}
