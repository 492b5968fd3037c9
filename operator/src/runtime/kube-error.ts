/** What can go wrong between us and the API server: a closed set, so that callers can switch over it. */
export const kubeErrorCodes = [
  /** Told to stop by its signal. */
  "aborted",
  /** How to reach the API server can't be read or can't work. */
  "bad-access",
  /** Somebody else wrote the object first, or it is there already. */
  "conflict",
  /** The rights are missing: the message names verb and resource. */
  "forbidden",
  /** The resourceVersion or continue token is too old, or ahead of this server: list anew. */
  "expired",
  /** The API server refuses the object: the message names the field. */
  "invalid",
  /** We no longer lead: nothing may be written. */
  "not-leading",
  /** No such object, or no such kind. */
  "not-found",
  /** The API server fails; later it may not. */
  "server-error",
  /** No answer in time; the request may have been carried out. */
  "timeout",
  /** The API server wants to be asked less often. */
  "too-many-requests",
  /** The credentials are not accepted. */
  "unauthorized",
  /** No connection, or it was lost before the answer: then the request may have been carried out. */
  "unreachable",
] as const;

export type KubeErrorCode = (typeof kubeErrorCodes)[number];

export interface KubeErrorOptions {
  readonly cause?: unknown;
  /** The HTTP status that the server answered. */
  readonly status?: number;
  /** The server asks to wait so long. */
  readonly retryAfterMs?: number;
}

/** The one error that the runtime throws. */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly code: KubeErrorCode;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(code: KubeErrorCode, message: string, options: KubeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** The error for an answer; `what` says what was asked: "GET /api/v1/pods". */
  static fromAnswer(what: string, status: number, body: string, retryAfter?: string): KubeError {
    const said = readStatus(body);
    const seconds = Number(retryAfter ?? said.details?.retryAfterSeconds);
    const message = `${what}: the API server answered ${status}: ${said.message ?? body.slice(0, 300)}`;
    return new KubeError(codeFor(status, said), message, {
      status,
      ...(Number.isFinite(seconds) && { retryAfterMs: seconds * 1_000 }),
    });
  }
}

/** True for a KubeError with one of these codes. */
export function isKubeError(
  error: unknown,
  ...codes: readonly KubeErrorCode[]
): error is KubeError {
  return error instanceof KubeError && codes.includes(error.code);
}

interface ApiStatus {
  readonly reason?: string;
  readonly message?: string;
  readonly details?: {
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly { readonly reason?: string }[];
  };
}

function readStatus(body: string): ApiStatus {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    // A proxy in between answers in its own words.
    return {};
  }
}

function codeFor(status: number, said: ApiStatus): KubeErrorCode {
  // A server that was restored from a backup, or that is behind its peers.
  const ahead = said.details?.causes?.some(({ reason }) => reason === "ResourceVersionTooLarge");
  if (ahead === true || said.reason === "Expired" || said.reason === "Gone") return "expired";
  switch (status) {
    case 400:
    case 415:
    case 422:
      return "invalid";
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not-found";
    case 409:
      return "conflict";
    case 410:
      return "expired";
    case 408:
    case 504:
      return "timeout";
    case 429:
      return "too-many-requests";
    default:
      return "server-error";
  }
}
