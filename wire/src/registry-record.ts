import { WireError } from "./wire-error.ts";

/** What a proxy says about itself in its ephemeral ZooKeeper node. */
export interface RegistryRecord {
  /** Where clients connect to. */
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  /** Highest protocol version that the proxy speaks. */
  readonly protocol: number;
  /** Unique in the group; the node's name. */
  readonly instance: string;
  /** "" outside Kubernetes. */
  readonly pod: string;
  /** "" when unknown. */
  readonly zone: string;
  /** When the proxy started to serve, RFC 3339 in UTC. */
  readonly started: string;
}

/** The node's data: JSON in UTF-8. */
export function encodeRegistryRecord(record: RegistryRecord): Uint8Array {
  const { host, port, tls, protocol, instance, pod, zone, started } = record;
  return Buffer.from(
    JSON.stringify({ host, port, tls, protocol, instance, pod, zone, started }),
    "utf8",
  );
}

/**
 * Reads a node's data. Unknown fields are ignored; a missing `pod` or `zone` is "".
 *
 * @throws WireError `invalid-registry-record` that names all fields that are wrong, with what was
 *   found and what is allowed.
 */
export function parseRegistryRecord(data: Uint8Array): RegistryRecord {
  const fields = parseObject(data);
  const errors: string[] = [];
  const field = <T>(
    name: keyof RegistryRecord,
    allowed: string,
    is: (value: unknown) => value is T,
    fallback?: T,
  ): T | undefined => {
    const value = fields[name] === undefined ? fallback : fields[name];
    if (is(value)) {
      return value;
    }
    errors.push(`${name} is ${show(value)}, allowed is ${allowed}`);
    return undefined;
  };
  const host = field("host", "a host name or address", isName);
  const port = field("port", "a whole number of 1 to 65535", isPort);
  const tls = field("tls", "true or false", isBoolean);
  const protocol = field("protocol", "a whole number of 1 to 65535", isPort);
  const instance = field("instance", "a name", isName);
  const pod = field("pod", "a string", isString, "");
  const zone = field("zone", "a string", isString, "");
  const started = field("started", "a time like 2026-01-31T12:00:00.000Z", isTime);
  if (
    host === undefined ||
    port === undefined ||
    tls === undefined ||
    protocol === undefined ||
    instance === undefined ||
    pod === undefined ||
    zone === undefined ||
    started === undefined
  ) {
    throw invalid(errors.join("; "));
  }
  return { host, port, tls, protocol, instance, pod, zone, started };
}

function parseObject(data: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch (cause) {
    throw invalid(`its ${data.byteLength} bytes are no JSON text`, cause);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(`it is ${show(value)}, allowed is an object`);
  }
  return value as Record<string, unknown>;
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === "boolean";
}

function isPort(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535;
}

const utcTime = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$/;

function isTime(value: unknown): value is string {
  return typeof value === "string" && utcTime.test(value) && !Number.isNaN(Date.parse(value));
}

function show(value: unknown): string {
  const text = value === undefined ? "missing" : JSON.stringify(value);
  return text.length > 100 ? `${text.slice(0, 100)}...` : text;
}

function invalid(why: string, cause?: unknown): WireError {
  return new WireError(
    "invalid-registry-record",
    `Not a valid registry record: ${why}. The proxy that wrote it is of a version this one can't follow, or something else wrote to its node.`,
    cause === undefined ? undefined : { cause },
  );
}
