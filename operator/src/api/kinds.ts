/**
 * Kinds of values as Kubernetes writes them: a zod schema, and beside it in its metadata the structural
 * schema's part that makes the API server take the same and refuse the rest in the same words.
 */
import type { KindOfValue } from "@kafkaproxy/proxy";
import { z } from "zod";

/** A rule in CEL as a CRD has it. */
export interface CelRule {
  readonly rule: string;
  readonly message: string;
}

/** What stands in the CRD for a value, and in words in the reference page. */
export interface Structure {
  readonly [key: string]: unknown;
  readonly allowed?: string;
  readonly "x-kubernetes-validations"?: readonly CelRule[];
}

function leaf<T extends z.ZodType>(schema: T, allowed: string, structure: Structure = {}): T {
  return schema.meta({ allowed, ...structure });
}

const must = (rule: string, allowed: string): CelRule[] => [
  { rule, message: `must be ${allowed}` },
];

const text = (allowed: string) => z.string({ error: `must be ${allowed}` });

/** A text that a pattern describes; the pattern is the same in Go and in JavaScript. */
export function pattern(expression: string, allowed: string, maxLength: number) {
  const schema = text(allowed)
    .max(maxLength, { error: `must be ${allowed}` })
    .regex(new RegExp(expression, "u"), { error: `must be ${allowed}` });
  return leaf(schema, allowed);
}

const quoted = (expression: string): string => `r'${expression}'`;

/** Text whose pattern is too long to be shown in an error: a rule with words instead. */
export function inWords(expression: string, allowed: string, maxLength: number) {
  const schema = text(allowed)
    .max(maxLength, { error: `must be ${allowed}` })
    .refine((value) => new RegExp(expression, "u").test(value), { error: `must be ${allowed}` });
  const rule = `self.matches(${quoted(expression)})`;
  return leaf(schema, allowed, { "x-kubernetes-validations": must(rule, allowed) });
}

/** What a duration looks like, in CEL and here. */
export const durationForm = "^([0-9]{1,6}([.][0-9]{1,3})?(ms|s|m|h))+$";
const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds of "500ms", "3s", "1m30s". */
export function durationMs(written: string): number {
  let total = 0;
  for (const [, amount, unit] of written.matchAll(/([\d.]+)(ms|s|m|h)/gu)) {
    total += Number(amount) * (unitMs[unit ?? ""] ?? Number.NaN);
  }
  return total;
}

/** A length of time; both ends are allowed. */
export function duration(min: string, max: string) {
  const allowed = `a duration from ${min} to ${max}, such as 500ms or 3s`;
  const schema = text(allowed).refine(
    (value) =>
      new RegExp(durationForm, "u").test(value) &&
      durationMs(value) >= durationMs(min) &&
      durationMs(value) <= durationMs(max),
    { error: `must be ${allowed}` },
  );
  const rule = `self.matches(${quoted(durationForm)}) && duration(self) >= duration('${min}') && duration(self) <= duration('${max}')`;
  return leaf(schema, allowed, { maxLength: 32, "x-kubernetes-validations": must(rule, allowed) });
}

/** What a size looks like, likewise. */
export const sizeForm = "^[0-9]{1,12}([.][0-9]{1,3})?(k|M|G|Ki|Mi|Gi)?$";
const unitBytes: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

/** Bytes of a quantity such as "16Mi" or 65536. */
export function quantityBytes(written: string | number): number {
  if (typeof written === "number") return written;
  const unit = /[A-Za-z]*$/u.exec(written)?.[0] ?? "";
  return Number(written.slice(0, written.length - unit.length)) * (unitBytes[unit] ?? Number.NaN);
}

/** The proxy writes "16MiB" where Kubernetes writes "16Mi". */
export const asQuantity = (size: string): string => size.replace(/B$/u, "");

/** A number of bytes as a quantity; both ends are allowed. */
export function size(min: string, max: string) {
  const [least, most] = [asQuantity(min), asQuantity(max)];
  const allowed = `a size from ${least} to ${most}, such as 16Mi`;
  const schema = z
    .union([z.int(), z.string()], { error: `must be ${allowed}` })
    .refine(
      (value) =>
        new RegExp(sizeForm, "u").test(String(value)) &&
        quantityBytes(value) >= quantityBytes(least) &&
        quantityBytes(value) <= quantityBytes(most),
      { error: `must be ${allowed}` },
    );
  const asText = `string(self).matches(${quoted(sizeForm)}) && quantity(string(self)).compareTo(quantity('${least}')) >= 0 && quantity(string(self)).compareTo(quantity('${most}')) <= 0`;
  return leaf(schema, allowed, {
    maxLength: 24,
    "x-kubernetes-int-or-string": true,
    "x-kubernetes-validations": must(asText, allowed),
  });
}

/** A whole number; both ends are allowed. */
export function whole(min: number, max: number) {
  const allowed = `a whole number from ${min} to ${max}`;
  const error = `must be ${allowed}`;
  const schema = z.int({ error }).min(min, { error }).max(max, { error });
  return leaf(schema, allowed, { format: max < 2 ** 31 ? "int32" : "int64" });
}

export const yesNo = leaf(z.boolean({ error: "must be true or false" }), "true or false");

export function oneOf(values: readonly string[]) {
  const allowed = `one of ${values.join(", ")}`;
  return leaf(z.enum(values, { error: `must be ${allowed}` }), allowed);
}

/** A text that is not empty. */
export const anyText = leaf(
  text("a text that is not empty")
    .min(1, { error: "must be a text that is not empty" })
    .max(4_096, { error: "must be a text of at most 4096 characters" }),
  "a text that is not empty",
);

const host = "[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_.])?";
const port =
  "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";
const hostPort = inWords(
  `^(${host}|\\[[0-9a-fA-F:.]+\\]):${port}$`,
  "host:port, such as kafka-1:9092",
  262,
);

const addresses = "a list of 1 to 64 addresses, each host:port";
const hostPorts = leaf(
  z
    .array(hostPort, { error: `must be ${addresses}` })
    .min(1, { error: `must be ${addresses}` })
    .max(64, { error: `must be ${addresses}` }),
  addresses,
  { "x-kubernetes-list-type": "atomic" },
);

const kafkaName = ((): z.ZodString => {
  const allowed = "1 to 249 letters, digits, dots, underscores and hyphens, but not . or ..";
  const schema = text(allowed)
    .max(249, { error: `must be ${allowed}` })
    .regex(/^[a-zA-Z0-9._-]+$/u, { error: `must be ${allowed}` })
    .refine((name) => name !== "." && name !== "..", { error: `must be ${allowed}` });
  return leaf(schema, allowed, {
    "x-kubernetes-validations": must("self != '.' && self != '..'", allowed),
  });
})();

const pathSegment = "[A-Za-z0-9._~!@$&()*+,;=:%-]+";
const notOurs = "^/zookeeper(/|$)|/[.][.]?(/|$)";
const zooKeeperPath = ((): z.ZodType => {
  const form = `^(/|(/${pathSegment})+)$`;
  const allowed =
    "an absolute ZooKeeper path without a slash at its end, not below /zookeeper; such as /kafkaproxy";
  const schema = text(allowed)
    .max(512, { error: `must be ${allowed}` })
    .refine((path) => new RegExp(form, "u").test(path) && !new RegExp(notOurs, "u").test(path), {
      error: `must be ${allowed}`,
    });
  const rule = `self.matches(${quoted(form)}) && !self.matches(${quoted(notOurs)})`;
  return leaf(schema, allowed, { "x-kubernetes-validations": must(rule, allowed) });
})();

const controlFree = pattern(
  "^[^\\p{Cc}]+$",
  "a text of 1 to 255 characters without control characters",
  255,
);

const reachableHost = inWords(
  "^(([a-zA-Z0-9_.-]|[{]instance[}])+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)$",
  "a host name or an IP address, without a port; {instance} in it stands for the pod's name",
  262,
);

const named: Readonly<
  Record<Exclude<KindOfValue["is"], "duration" | "size" | "whole">, z.ZodType>
> = { hostPorts, kafkaName, name: controlFree, reachableHost, zooKeeperPath };

/** The Kubernetes form of one of the proxy's kinds. */
export function kindInKubernetes(kind: KindOfValue): z.ZodType {
  if (kind.is === "duration") return duration(kind.min, kind.max);
  if (kind.is === "size") return size(kind.min, kind.max);
  if (kind.is === "whole") return whole(kind.min, kind.max);
  return named[kind.is];
}
