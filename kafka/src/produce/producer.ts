import { Decoder, Encoder, messages } from "../connection/index.ts";
import type { KafkaConnection, Message } from "../connection/index.ts";
import { KafkaError } from "../errors.ts";
import { onLeader, retried, safeOffset } from "../offsets/index.ts";
import { encodeBatch, type WritableCompression } from "../records/index.ts";

/** A record to write; `headers` is the raw block: a zigzag varint count and the name/value pairs. */
export interface RecordToProduce {
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Uint8Array;
}

const produceKey = 0;
const produceVersion = 7;
const allInSync = -1;
const createTopicsTimeoutMs = 20_000;
const topicExists = 36;

interface ProduceAnswer {
  readonly errorCode: number;
  readonly baseOffset: number;
  /** kafkajs holds our next requests back for so long, as the broker's quota asks. */
  readonly clientSideThrottleTime: number;
}

/** Writes batches byte for byte, each confirmed by all replicas in sync (acks=all). */
export class Producer {
  readonly #connection: KafkaConnection;

  constructor(connection: KafkaConnection) {
    this.#connection = connection;
  }

  /**
   * One batch, uncompressed unless `compression` says otherwise. Retriable failures are retried for
   * `deadlineMs` (default 30,000); a request that timed out may have been carried out, so that the
   * batch can be there twice. Throws `record-too-large`, `topic-not-found`, `not-authorized`,
   * `not-enough-replicas` and others.
   */
  async produce(
    topic: string,
    partition: number,
    records: readonly RecordToProduce[],
    options: { readonly deadlineMs?: number; readonly compression?: WritableCompression } = {},
  ): Promise<{ readonly baseOffset: number }> {
    if (records.length === 0) {
      throw new KafkaError("bad-arguments", `produce to ${topic}: there are no records`);
    }
    const { compression = "none" } = options;
    const batch = encodeBatch(records, { compression });
    return await onLeader(
      this.#connection,
      topic,
      partition,
      async (leader) => {
        const timeoutMs = this.#connection.requestTimeoutMs;
        const answer = await this.#connection.send(
          leader,
          produceMessage(topic, partition, batch, timeoutMs),
          // The broker waits for its replicas first: its own time-out is to be heard of.
          { timeoutMs: 2 * timeoutMs },
        );
        if (answer.errorCode !== 0) {
          throw KafkaError.fromProtocol(
            answer.errorCode,
            `produce of ${records.length} records (${batch.length} bytes) to topic ${topic}, partition ${partition}`,
          );
        }
        return { baseOffset: answer.baseOffset };
      },
      options.deadlineMs,
    );
  }

  /** Default replication: the broker's own default. */
  async createTopic(
    topic: string,
    options: {
      readonly partitions: number;
      readonly replicationFactor?: number;
      readonly config?: Readonly<Record<string, string>>;
    },
  ): Promise<"created" | "exists"> {
    const configEntries = Object.entries(options.config ?? {}).map(([name, value]) => ({
      name,
      value,
    }));
    return await retried(
      this.#connection,
      async () => {
        const answer = await this.#connection.send(
          await this.#connection.controller(),
          messages.createTopics({
            topics: [
              {
                topic,
                numPartitions: options.partitions,
                replicationFactor: options.replicationFactor ?? -1,
                configEntries,
              },
            ],
            timeout: createTopicsTimeoutMs,
          }),
          { timeoutMs: createTopicsTimeoutMs + this.#connection.requestTimeoutMs },
        );
        const { errorCode = 0, errorMessage = null } = answer.topicErrors[0] ?? {};
        if (errorCode === topicExists) return "exists";
        if (errorCode === 0) return "created";
        const words = errorMessage === null ? "" : ` (${errorMessage})`;
        throw KafkaError.fromProtocol(errorCode, `creating topic ${topic}${words}`);
      },
      () => this.#connection.forget(topic),
    );
  }
}

function produceMessage(
  topic: string,
  partition: number,
  batch: Buffer,
  timeoutMs: number,
): Message<ProduceAnswer> {
  return {
    request: {
      apiKey: produceKey,
      apiVersion: produceVersion,
      apiName: "Produce",
      encode: async () =>
        new Encoder(64 + topic.length + batch.length)
          .writeString(null)
          .writeInt16(allInSync)
          .writeInt32(timeoutMs)
          .writeInt32(1)
          .writeString(topic)
          .writeInt32(1)
          .writeInt32(partition)
          .writeBytes(batch),
    },
    response: {
      decode: async (payload) => decodeProduce(payload),
      parse: async (decoded) => decoded,
    },
  };
}

function decodeProduce(payload: Buffer): ProduceAnswer {
  const from = new Decoder(payload);
  from.readInt32();
  from.readString();
  from.readInt32();
  from.readInt32();
  const errorCode = from.readInt16();
  const baseOffset = safeOffset(from.readInt64());
  // The log's append time and its start.
  from.readInt64();
  from.readInt64();
  return { errorCode, baseOffset, clientSideThrottleTime: from.readInt32() };
}
