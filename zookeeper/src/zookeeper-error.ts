/** What can go wrong between us and ZooKeeper: a closed set, so that callers can switch over it. */
export const zooKeeperErrorCodes = [
  /** The credentials are refused, or the node's ACL does not let us. */
  "auth",
  /** A value passed in cannot work; the message names it. */
  "bad-arguments",
  /** The node's version is not the one asked for. */
  "bad-version",
  /** Used after `close()`, or closed while waiting. */
  "closed",
  /** The node is there already. */
  "exists",
  /** An internal of node-zookeeper-client that we rely on is not as we know it. */
  "internal-changed",
  /** The node, or the parent of a node to be made, is not there. */
  "no-node",
  /** The node has children. */
  "not-empty",
  /** ZooKeeper refuses it for another reason; the message has its number. */
  "refused",
  /** Connected, but no answer came in time; the operation may have been carried out. */
  "timeout",
  /** No connection, or it was lost before the answer: then the operation may have been carried out. */
  "unavailable",
] as const;

export type ZooKeeperErrorCode = (typeof zooKeeperErrorCodes)[number];

/** The one error that this package throws. */
export class ZooKeeperError extends Error {
  override readonly name = "ZooKeeperError";
  readonly code: ZooKeeperErrorCode;

  constructor(code: ZooKeeperErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  /** The error for a number that a server answered; `what` says what was asked: "create /a/b". */
  static fromServer(what: string, errno: number): ZooKeeperError {
    const [name, code] = serverErrors.get(errno) ?? ["an error of unknown name", "refused"];
    return new ZooKeeperError(code, `${what}: ZooKeeper answered ${name} (${errno})`);
  }
}

/** The code of an error of ours, undefined for any other. */
export function codeOf(error: unknown): ZooKeeperErrorCode | undefined {
  return error instanceof ZooKeeperError ? error.code : undefined;
}

/** org.apache.zookeeper.KeeperException.Code of ZooKeeper 3.9. */
const serverErrors: ReadonlyMap<number, readonly [name: string, code: ZooKeeperErrorCode]> =
  new Map([
    [-1, ["SYSTEMERROR", "refused"]],
    [-2, ["RUNTIMEINCONSISTENCY", "refused"]],
    [-3, ["DATAINCONSISTENCY", "refused"]],
    [-4, ["CONNECTIONLOSS", "unavailable"]],
    [-5, ["MARSHALLINGERROR", "refused"]],
    [-6, ["UNIMPLEMENTED", "refused"]],
    [-7, ["OPERATIONTIMEOUT", "timeout"]],
    [-8, ["BADARGUMENTS", "bad-arguments"]],
    [-100, ["APIERROR", "refused"]],
    [-101, ["NONODE", "no-node"]],
    [-102, ["NOAUTH", "auth"]],
    [-103, ["BADVERSION", "bad-version"]],
    [-108, ["NOCHILDRENFOREPHEMERALS", "bad-arguments"]],
    [-110, ["NODEEXISTS", "exists"]],
    [-111, ["NOTEMPTY", "not-empty"]],
    [-112, ["SESSIONEXPIRED", "unavailable"]],
    [-113, ["INVALIDCALLBACK", "bad-arguments"]],
    [-114, ["INVALIDACL", "bad-arguments"]],
    [-115, ["AUTHFAILED", "auth"]],
    [-118, ["SESSIONMOVED", "unavailable"]],
    [-119, ["NOTREADONLY", "unavailable"]],
    [-122, ["REQUESTTIMEOUT", "timeout"]],
    [-124, ["SESSIONCLOSEDREQUIRESASLAUTH", "auth"]],
    [-125, ["QUOTAEXCEEDED", "refused"]],
    [-127, ["THROTTLEDOP", "refused"]],
  ]);
