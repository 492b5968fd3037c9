import { KafkaError, type KafkaConnection, type Logger, Producer } from "@kafkaproxy/kafka";
import { type Letter, letterBytes } from "./letter.ts";

/** The dead-letter topic, as its writer sees it. */
export interface LetterLog {
  /** Durable (acks=all) when it resolves. `partition` is the source's. Throws KafkaError. */
  append(
    partition: number,
    letters: readonly Letter[],
  ): Promise<{ readonly topic: string; readonly partition: number; readonly baseOffset: number }>;
}

export interface KafkaLetterLogOptions {
  readonly connection: KafkaConnection;
  readonly sourceTopic: string;
  readonly topic: string;
  readonly now: () => number;
  readonly logger: Logger;
}

/** A topic can be given more partitions: look again this often. */
const refreshMs = 60_000;
/** A write that does not succeed for this long is the writer's to try again: it says so, and a hand-over does not wait for it. */
const produceDeadlineMs = 5_000;
/**
 * Compressed from the start above it: a request larger than the broker's `socket.request.max.bytes` (100 MiB by
 * default) is not refused, its connection is cut, and that would be tried again for ever.
 */
const maxPlainBytes = 64 * 1024 * 1024;
/** What our own headers may add to a record that just fitted the source. */
const headerRoomBytes = 64 * 1024;
/** Largest value of a 64-bit setting. */
const unlimited = "9223372036854775807";

/** Writes to the same partition number as the source's, modulo the topic's partitions; makes the topic when it is not there. */
export class KafkaLetterLog implements LetterLog {
  readonly #options: KafkaLetterLogOptions;
  readonly #producer: Producer;
  #partitions: { readonly count: number; readonly at: number } | undefined;
  #finding: Promise<number> | undefined;

  constructor(options: KafkaLetterLogOptions) {
    this.#options = options;
    this.#producer = new Producer(options.connection);
  }

  async append(
    partition: number,
    letters: readonly Letter[],
  ): Promise<{ topic: string; partition: number; baseOffset: number }> {
    const { topic } = this.#options;
    try {
      const target = partition % (await this.partitionCount());
      const baseOffset = await this.#produce(target, letters);
      return { topic, partition: target, baseOffset };
    } catch (error) {
      if (error instanceof KafkaError && error.code === "topic-not-found") {
        this.#partitions = undefined;
      }
      throw error;
    }
  }

  /** A topic's limit is on what it stores: records that the source holds compressed fit only so. */
  async #produce(partition: number, letters: readonly Letter[]): Promise<number> {
    const { topic } = this.#options;
    const deadlineMs = produceDeadlineMs;
    const produce = async (compression: "none" | "zstd"): Promise<number> =>
      (await this.#producer.produce(topic, partition, letters, { deadlineMs, compression }))
        .baseOffset;
    // Every broker that we can fetch from knows zstd, and it holds the event loop a tenth of gzip's time.
    if (letters.reduce((sum, letter) => sum + letterBytes(letter), 0) > maxPlainBytes) {
      return await produce("zstd");
    }
    try {
      return await produce("none");
    } catch (error) {
      if (!(error instanceof KafkaError) || error.code !== "record-too-large") throw error;
      return await produce("zstd");
    }
  }

  /** Partitions of the dead-letter topic, which is made when it is not there. */
  async partitionCount(): Promise<number> {
    const known = this.#partitions;
    if (known !== undefined && this.#options.now() - known.at < refreshMs) return known.count;
    this.#finding ??= this.#find().finally(() => {
      this.#finding = undefined;
    });
    const count = await this.#finding;
    this.#partitions = { count, at: this.#options.now() };
    return count;
  }

  async #find(): Promise<number> {
    const { connection, topic } = this.#options;
    try {
      return (await connection.partitions(topic)).length;
    } catch (error) {
      if (!(error instanceof KafkaError) || error.code !== "topic-not-found") throw error;
    }
    await this.#create();
    return (await connection.partitions(topic)).length;
  }

  async #create(): Promise<void> {
    const { connection, sourceTopic, topic, logger } = this.#options;
    const partitions = (await connection.partitions(sourceTopic)).length;
    const maxBytes = await connection.maxMessageBytes(sourceTopic);
    const made = await this.#producer.createTopic(topic, {
      partitions,
      replicationFactor: -1,
      config: {
        // A letter keeps its record's timestamp, however old or wrong it is.
        "message.timestamp.type": "CreateTime",
        "message.timestamp.before.max.ms": unlimited,
        "message.timestamp.after.max.ms": unlimited,
        ...(maxBytes === undefined
          ? {}
          : { "max.message.bytes": String(Math.min(maxBytes + headerRoomBytes, 2 ** 31 - 1)) }),
      },
    });
    if (made === "created") logger.info({ topic, partitions }, "dead-letter topic made");
  }
}
