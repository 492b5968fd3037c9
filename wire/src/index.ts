/**
 * The contract between a kafka-proxy and its clients; `docs/protocol.md` is the same in words.
 * No dependencies.
 */
export * from "./frames.ts";
export { createFrameDecoder, type FrameDecoder, type FrameDecoderOptions } from "./decode.ts";
export { deliverOverheadBytes } from "./deliver.ts";
export { deliveryBytes, DeliverySlab, type Lease, PreparedDelivery } from "./delivery.ts";
export { encodeFrame, frameBytes } from "./encode.ts";
export {
  appendHeaders,
  decodeHeaders,
  emptyHeaders,
  encodeHeaders,
  type RecordHeader,
} from "./headers.ts";
export {
  defaultLimits,
  defaultPort,
  helloTimeoutMs,
  maxHelloFrameBytes,
  maxMissedHeartbeats,
  maxNackDelayMs,
  maxWordsBytes,
  offerTimeoutMs,
  presentWaitMs,
} from "./limits.ts";
export { formatMsgId, type MsgId, parseMsgId } from "./msg-id.ts";
export {
  looksLikeOtherProtocol,
  minProtocolVersion,
  negotiateProtocol,
  protocolVersion,
  sniffBytes,
} from "./protocol.ts";
export {
  decodePathSegment,
  defaultNamespace,
  defaultRoot,
  encodePathSegment,
  groupPath,
  proxiesPath,
  type RegistryTarget,
  registryPath,
} from "./registry-path.ts";
export {
  encodeRegistryRecord,
  parseRegistryRecord,
  type RegistryRecord,
} from "./registry-record.ts";
export { errorCodeFor, WireError, type WireErrorCode, wireErrorCodes } from "./wire-error.ts";
