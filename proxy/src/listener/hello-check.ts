import {
  type ErrorCode,
  type Hello,
  minProtocolVersion,
  negotiateProtocol,
  protocolVersion,
} from "@kafkaproxy/wire";

/** Who this proxy is: a client that means another is refused. */
export interface Identity {
  readonly namespace: string;
  readonly topic: string;
  readonly consumerGroup: string;
  readonly instance: string;
}

export interface HelloCheck {
  readonly identity: Identity;
  /** undefined: no token is asked for. */
  readonly allows: ((token: string) => boolean) | undefined;
  readonly draining: boolean;
  readonly isFull: boolean;
}

export type HelloVerdict =
  | { readonly ok: true; readonly protocol: number }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string };

const refused = (code: ErrorCode, message: string): HelloVerdict => ({ ok: false, code, message });

/** Whether a client may have a session; in the order that docs/protocol.md gives. */
export function checkHello(hello: Hello, check: HelloCheck): HelloVerdict {
  const protocol = negotiateProtocol(hello);
  if (protocol === undefined) {
    return refused(
      "protocol-version",
      `The client speaks versions ${hello.minProtocol} to ${hello.maxProtocol}, this proxy ${minProtocolVersion} to ${protocolVersion}. Update the older one.`,
    );
  }
  if (check.allows?.(hello.token) === false) {
    const found = hello.token === "" ? "no token" : "a token that is not valid here";
    return refused("unauthorized", `The client gave ${found}. Give one of the proxy's tokenFile.`);
  }
  const wrong = (["namespace", "topic", "consumerGroup"] as const).filter(
    (name) => hello[name] !== check.identity[name],
  );
  if (wrong.length > 0) {
    const words = wrong.map(
      (name) =>
        `${name} ${JSON.stringify(hello[name])}, this proxy serves ${JSON.stringify(check.identity[name])}`,
    );
    return refused("wrong-target", `The client asks for ${words.join("; ")}. Look it up anew.`);
  }
  if (check.isFull) {
    return refused(
      "too-many-connections",
      "This proxy has as many connections as listener.maxConnections allows. Try later, or another proxy.",
    );
  }
  if (check.draining) {
    return refused("draining", "This proxy is about to stop. Connect to the others.");
  }
  return { ok: true, protocol };
}
