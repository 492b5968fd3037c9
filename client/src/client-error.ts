/** What can go wrong, as a closed set. */
export const clientErrorCodes = [
  /** Options or environment are missing or not allowed; the message names every one. */
  "bad-config",
  /** A call with arguments that are not allowed. */
  "bad-arguments",
  /** ZooKeeper did not answer within `connectTimeoutMs` of connect(). */
  "zookeeper-unavailable",
  /** A proxy could not be reached, or the connection to it ended. */
  "unreachable",
  /** A proxy serves another namespace, topic or consumer group. */
  "wrong-target",
  /** A proxy did not accept the token. */
  "unauthorized",
  /** The TLS connection to a proxy can't be made: its certificate is not trusted or of another name, or it speaks no TLS. */
  "untrusted",
  /** A proxy has no protocol version in common with this client, or sent what is no frame. */
  "protocol",
  /** A proxy does not take the connection for another reason: too many connections, draining, ... */
  "refused",
  /** The message is no longer this client's: its lease ran out or its partition moved without a new owner in time. */
  "lease-lost",
  /** The message was acked, nacked or rejected already. */
  "already-settled",
  /** The client is draining or closed. */
  "closed",
  /** The given signal aborted the call. */
  "aborted",
] as const;
export type ClientErrorCode = (typeof clientErrorCodes)[number];

/** The one error class of this package. */
export class ClientError extends Error {
  readonly code: ClientErrorCode;

  constructor(code: ClientErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ClientError";
    this.code = code;
  }
}

/** Words for any thrown value. */
export function wordsOf(thrown: unknown): string {
  if (thrown instanceof Error) {
    return thrown.message === "" ? thrown.name : thrown.message;
  }
  return typeof thrown === "string" ? thrown : `a handler threw ${typeof thrown}`;
}
