/**
 * The kinds of values a key can have: how each is written, how it reads once parsed, and the words that
 * say so in errors and in the reference page.
 */
import { groupPath, WireError } from "@kafkaproxy/wire";
import { z } from "zod";

/** What a schema made from this one needs to know of a kind: `schema.meta()?.["kind"]`. Both ends are allowed. */
export type KindOfValue =
  | { readonly is: "duration" | "size"; readonly min: string; readonly max: string }
  | { readonly is: "whole"; readonly min: number; readonly max: number }
  | { readonly is: "hostPorts" | "kafkaName" | "name" | "zooKeeperPath" | "reachableHost" };

const kind = (value: KindOfValue): { readonly kind: KindOfValue } => ({ kind: value });

/** A kind of value. */
export interface Kind<T extends z.ZodType> {
  readonly schema: T;
  /** What may be written, in words: the end of "allowed: ...". */
  readonly allowed: string;
}

const durationUnits: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const durationPattern = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$|^\d+$/u;

const sizeUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1_000,
  m: 1_000_000,
  g: 1_000_000_000,
  ki: 1_024,
  mi: 1_048_576,
  gi: 1_073_741_824,
};
const sizePattern = /^(\d+(?:\.\d+)?) ?(|B|[kKMG](?:i?B?))$/u;

/** Milliseconds of "500ms", "3s", "1m30s", or a plain number of ms; NaN when it is none of these. */
export function parseDuration(written: string | number): number {
  if (typeof written === "number") return written;
  if (!durationPattern.test(written)) return Number.NaN;
  if (/^\d+$/u.test(written)) return Number(written);
  let total = 0;
  for (const [, amount, unit] of written.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/gu)) {
    total += Number(amount) * (durationUnits[unit ?? ""] ?? Number.NaN);
  }
  return Math.round(total);
}

/** Bytes of "16MiB", "16Mi", "1.5 GB", or a plain number; NaN when it is none of these. */
export function parseSize(written: string | number): number {
  if (typeof written === "number") return written;
  const match = sizePattern.exec(written);
  if (match === null) return Number.NaN;
  const unit = (match[2] ?? "").toLowerCase();
  const factor = sizeUnits[unit] ?? sizeUnits[unit.replace(/b$/u, "")] ?? Number.NaN;
  return Math.round(Number(match[1]) * factor);
}

/** A length of time; milliseconds once parsed. Both ends are allowed. */
export function duration(min: string, max: string) {
  const [least, most] = [parseDuration(min), parseDuration(max)];
  return {
    schema: z
      .union([z.string().regex(durationPattern), z.int().min(0)])
      .transform((written) => parseDuration(written))
      .refine((ms) => ms >= least && ms <= most)
      .meta(kind({ is: "duration", min, max })),
    allowed: `a duration from ${min} to ${max}, such as "500ms" or "3s"`,
  };
}

/** A number of bytes. Both ends are allowed. */
export function size(min: string, max: string) {
  const [least, most] = [parseSize(min), parseSize(max)];
  return {
    schema: z
      .union([z.string().regex(sizePattern), z.int().min(0)])
      .transform((written) => parseSize(written))
      .refine((bytes) => bytes >= least && bytes <= most)
      .meta(kind({ is: "size", min, max })),
    allowed: `a size from ${min} to ${max}, such as "16MiB"`,
  };
}

/** A whole number. Both ends are allowed. A text of digits is taken too: `.properties` files have nothing else. */
export function whole(min: number, max: number) {
  return {
    schema: z
      .union([z.int(), z.string().regex(/^\d+$/u)])
      .transform(Number)
      .refine((value) => value >= min && value <= max)
      .meta(kind({ is: "whole", min, max })),
    allowed: `a whole number from ${min} to ${max}`,
  };
}

export const yesNo = { schema: z.boolean(), allowed: "true or false" };

export function oneOf<const T extends readonly string[]>(...values: T) {
  return { schema: z.enum(values), allowed: `one of ${values.join(", ")}` };
}

/** Letters, digits, dot, underscore and hyphen: what Kafka allows in the names of topics and static members. */
export const kafkaName = {
  schema: z
    .string()
    .regex(/^[a-zA-Z0-9._-]{1,249}$/u)
    .refine((name) => name !== "." && name !== "..")
    .meta(kind({ is: "kafkaName" })),
  allowed: "1 to 249 letters, digits, dots, underscores and hyphens, but not . or ..",
};

/** A name that may hold anything a person can read. */
export const name = {
  schema: z
    .string()
    .regex(/^[^\p{Cc}]{1,255}$/u)
    .meta(kind({ is: "name" })),
  allowed: "a text of 1 to 255 characters without control characters",
};

export const text = { schema: z.string().min(1), allowed: "a text that is not empty" };

export const filePath = {
  schema: z.string().regex(/^[^\0]+$/u),
  allowed: "the path of a file; from the folder of the configuration file if it is relative",
};

const hostPattern = String.raw`(?:[a-zA-Z0-9_](?:[a-zA-Z0-9_.-]*[a-zA-Z0-9_.])?)`;
const addressPattern = String.raw`\[[0-9a-fA-F:.]+(?:%[\w.-]+)?\]`;
const hostPort = new RegExp(String.raw`^(?:${hostPattern}|${addressPattern}):(\d{1,5})$`, "u");

function isHostPort(address: string): boolean {
  const port = Number(hostPort.exec(address)?.[1]);
  return port >= 1 && port <= 65_535;
}

/** Addresses, as a list or as one text with commas; a list without duplicates once parsed. */
export const hostPorts = {
  schema: z
    .union([z.array(z.string()), z.string()])
    .transform((written) => {
      const list = typeof written === "string" ? written.split(",") : written;
      return [...new Set(list.map((address) => address.trim()))];
    })
    .refine((addresses) => addresses.length > 0 && addresses.every(isHostPort))
    .meta(kind({ is: "hostPorts" })),
  allowed: "host:port, several in a list or in one text with commas between them",
};

/** An address to listen on. */
export const bindHost = {
  schema: z.string().regex(new RegExp(String.raw`^(?:${hostPattern}|[0-9a-fA-F:.]+)$`, "u")),
  allowed: "a host name or an IP address; 0.0.0.0 or :: for all addresses of the machine",
};

/** A host that others can reach; `{instance}` in it stands for the proxy's name. */
export const reachableHost = {
  schema: z
    .string()
    .regex(
      new RegExp(
        String.raw`^(?:(?:[a-zA-Z0-9_.-]|\{instance\})+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$`,
        "u",
      ),
    )
    .meta(kind({ is: "reachableHost" })),
  allowed:
    "a host name or an IP address, without a port; {instance} in it stands for the proxy's name",
};

export const zooKeeperPath = {
  schema: z
    .string()
    .refine(isRoot)
    .meta(kind({ is: "zooKeeperPath" })),
  allowed:
    "an absolute ZooKeeper path without a slash at its end, not below /zookeeper; such as /kafkaproxy",
};

function isRoot(root: string): boolean {
  try {
    groupPath({ root, topic: "any", consumerGroup: "any" });
    return true;
  } catch (error) {
    if (error instanceof WireError) return false;
    throw error;
  }
}
