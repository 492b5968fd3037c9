/** All values of ClientErrorCode. */
export const clientErrorCodes = [
  "bad-config",
  "bad-arguments",
  "zookeeper-unavailable",
  "unreachable",
  "wrong-target",
  "unauthorized",
  "untrusted",
  "protocol",
  "refused",
  "lease-lost",
  "already-settled",
  "closed",
  "aborted",
] as const;
/**
 * What can go wrong, as a closed set:
 * - `bad-config`: options or environment are missing or not allowed; the message names every one;
 * - `bad-arguments`: a call with arguments that are not allowed;
 * - `zookeeper-unavailable`: ZooKeeper did not answer within `connectTimeoutMs` of connect();
 * - `unreachable`: a proxy could not be reached, or the connection to it ended;
 * - `wrong-target`: a proxy serves another namespace, topic or consumer group;
 * - `unauthorized`: a proxy did not accept the token, or the token can't be read;
 * - `untrusted`: the TLS connection to a proxy can't be made: its certificate is not trusted or of another name, or it
 *   speaks no TLS;
 * - `protocol`: a proxy has no protocol version in common with this client, or sent what is no frame;
 * - `refused`: a proxy does not take the connection for another reason: too many connections, draining, ...;
 * - `lease-lost`: the message is no longer this client's: its lease ran out, or its partition moved without a new owner
 *   in time;
 * - `already-settled`: the message was acked, nacked or rejected already;
 * - `closed`: the client is draining or closed;
 * - `aborted`: the given signal aborted the call.
 */
export type ClientErrorCode = (typeof clientErrorCodes)[number];

/** The one error class of this package. */
export class ClientError extends Error {
  /** What went wrong, for programs; the message says it for people. */
  readonly code: ClientErrorCode;

  /** Made by the client. */
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
