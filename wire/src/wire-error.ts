import type { ErrorCode } from "./frames.ts";

/** What can go wrong with the contract between a proxy and its clients. */
export const wireErrorCodes = [
  /** A frame is larger than the limit. */
  "frame-too-large",
  /** Bytes that are no frame: a length, count or value that can't be. */
  "malformed-frame",
  /** A frame of a later version that must not be ignored. */
  "unknown-critical-frame",
  /** The first bytes are not those of a kafka-proxy client. */
  "not-a-client",
  /** A value that has no encoding: out of range, or too long. */
  "not-encodable",
  /** A header block that can't be read. */
  "malformed-headers",
  "invalid-msg-id",
  "invalid-registry-record",
  "invalid-registry-path",
] as const;
export type WireErrorCode = (typeof wireErrorCodes)[number];

/** The one error class of this package. */
export class WireError extends Error {
  readonly code: WireErrorCode;

  constructor(code: WireErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "WireError";
    this.code = code;
  }
}

/** The code for the error frame that tells a peer why its bytes were refused. */
export function errorCodeFor(error: WireError): ErrorCode {
  switch (error.code) {
    case "frame-too-large":
    case "not-a-client":
      return error.code;
    case "malformed-frame":
    case "unknown-critical-frame":
    case "malformed-headers":
      return "protocol-error";
    default:
      return "internal";
  }
}
