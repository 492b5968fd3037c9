export type { AbortedTransaction } from "./aborted.ts";
export type { WritableCompression } from "./compression.ts";
export {
  BatchDecoder,
  type DecodedBatches,
  type DecodeOptions,
  decodeBatches,
  type KafkaRecord,
} from "./decode.ts";
export { type EncodableRecord, encodeBatch } from "./encode.ts";
export {
  appendHeaders,
  decodeHeaders,
  encodeHeaders,
  noHeaders,
  type RecordHeader,
} from "./headers.ts";
