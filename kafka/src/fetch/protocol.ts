/**
 * Fetch version 10 (the first that zstd batches are answered to), without a fetch session. The
 * record sets stay bytes: kafkajs' own decoder is not byte-true.
 */
import { Decoder, Encoder } from "../connection/index.ts";
import type { Message } from "../connection/index.ts";
import { safeOffset } from "../offsets/index.ts";

const apiKey = 1;
const apiVersion = 10;
const readCommitted = 1;
const consumer = -1;
const noSession = 0;
const noSessionEpoch = -1;
const unknown = -1;

export interface FetchRequest {
  readonly topic: string;
  readonly maxWaitMs: number;
  readonly maxBytes: number;
  readonly maxBytesPerPartition: number;
  /** In the order in which the broker should fill the answer. */
  readonly partitions: readonly { readonly partition: number; readonly offset: number }[];
}

export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly lastStableOffset: number;
  readonly logStartOffset: number;
  readonly abortedTransactions: readonly { producerId: bigint; firstOffset: number }[];
  /** A slice of the whole answer. */
  readonly records: Buffer;
}

export interface FetchResponse {
  readonly errorCode: number;
  readonly clientSideThrottleTime: number;
  readonly partitions: readonly FetchedPartition[];
}

export function fetchMessage(request: FetchRequest): Message<FetchResponse> {
  return {
    request: { apiKey, apiVersion, apiName: "Fetch", encode: async () => encode(request) },
    response: {
      decode: async (payload) => decode(payload),
      parse: async (decoded) => decoded,
    },
  };
}

function encode(request: FetchRequest): Encoder {
  const out = new Encoder(64 + request.topic.length + request.partitions.length * 28)
    .writeInt32(consumer)
    .writeInt32(request.maxWaitMs)
    .writeInt32(1)
    .writeInt32(request.maxBytes)
    .writeInt8(readCommitted)
    .writeInt32(noSession)
    .writeInt32(noSessionEpoch)
    .writeInt32(1)
    .writeString(request.topic)
    .writeInt32(request.partitions.length);
  for (const { partition, offset } of request.partitions) {
    out
      .writeInt32(partition)
      .writeInt32(unknown)
      .writeInt64(offset)
      .writeInt64(unknown)
      .writeInt32(request.maxBytesPerPartition);
  }
  return out.writeInt32(0);
}

function decode(payload: Buffer): FetchResponse {
  const from = new Decoder(payload);
  const clientSideThrottleTime = from.readInt32();
  const errorCode = from.readInt16();
  from.readInt32();
  const partitions: FetchedPartition[] = [];
  for (let topics = from.readInt32(); topics > 0; topics -= 1) {
    from.readString();
    for (let count = from.readInt32(); count > 0; count -= 1) {
      partitions.push(decodePartition(from));
    }
  }
  return { errorCode, clientSideThrottleTime, partitions };
}

function decodePartition(from: Decoder): FetchedPartition {
  const partition = from.readInt32();
  const errorCode = from.readInt16();
  const highWatermark = safeOffset(from.readInt64());
  const lastStableOffset = safeOffset(from.readInt64());
  const logStartOffset = safeOffset(from.readInt64());
  const abortedTransactions = [];
  for (let count = from.readInt32(); count > 0; count -= 1) {
    abortedTransactions.push({
      producerId: from.readInt64(),
      firstOffset: safeOffset(from.readInt64()),
    });
  }
  return {
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    logStartOffset,
    abortedTransactions,
    records: from.readBytes() ?? Buffer.alloc(0),
  };
}
