/**
 * The contract between a kafka-proxy and its clients; `docs/protocol.md` is the same in words.
 * No dependencies.
 */
export * from "./frames.ts";
export { createFrameDecoder, type FrameDecoder, type FrameDecoderOptions } from "./decode.ts";
export { deliveryBytes } from "./deliver.ts";
export { encodeFrame, frameBytes } from "./encode.ts";
export {
  defaultLimits,
  defaultPort,
  maxHelloFrameBytes,
  maxMissedHeartbeats,
  maxNackDelayMs,
  maxWordsBytes,
  offerTimeoutMs,
} from "./limits.ts";
export {
  looksLikeOtherProtocol,
  minProtocolVersion,
  negotiateProtocol,
  protocolVersion,
  sniffBytes,
} from "./protocol.ts";
export { errorCodeFor, WireError, type WireErrorCode, wireErrorCodes } from "./wire-error.ts";
