/** The proxy's own settings in Kubernetes form: what the resource has in common with a proxy's configuration. */
import type { KindOfValue } from "@kafkaproxy/proxy";
import { z } from "zod";
import { anyText, asQuantity, kindInKubernetes, oneOf, yesNo } from "./kinds.ts";
import { described, fields, section } from "./section.ts";

/** What the schema says of itself, and the default where it is not a value. */
function descriptionOf(schema: z.ZodType): string {
  const { description = "", otherwise } = schema.meta() ?? {};
  return typeof otherwise === "string" && otherwise !== ""
    ? `${description} Default: ${otherwise}.`
    : description;
}

const kindOf = (schema: z.ZodType): KindOfValue | undefined =>
  schema.meta()?.["kind"] as KindOfValue | undefined;

/** A setting or a section of settings as it stands in the resource, with its default and description. */
export function fromSettings(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodPrefault) {
    const inner = schema.unwrap() as z.ZodType;
    const written: unknown = schema.def.defaultValue;
    const inKubernetes =
      kindOf(inner)?.is === "size" && typeof written === "string" ? asQuantity(written) : written;
    if (inner instanceof z.ZodObject) return section(descriptionOf(schema), shapeOf(inner));
    return described(z.prefault(fromSettings(inner), inKubernetes), descriptionOf(schema));
  }
  if (schema instanceof z.ZodOptional) {
    return described(z.optional(fromSettings(schema.unwrap() as z.ZodType)), descriptionOf(schema));
  }
  if (schema instanceof z.ZodObject) return fields(shapeOf(schema));
  return described(valueInKubernetes(schema), descriptionOf(schema));
}

const shapeOf = (object: z.ZodObject): z.ZodRawShape =>
  Object.fromEntries(
    Object.entries(object.shape).map(([key, field]) => [key, fromSettings(field as z.ZodType)]),
  );

function valueInKubernetes(schema: z.ZodType): z.ZodType {
  const kind = kindOf(schema);
  if (kind !== undefined) return kindInKubernetes(kind);
  if (schema instanceof z.ZodEnum) return oneOf(schema.options as string[]);
  if (schema instanceof z.ZodBoolean) return yesNo;
  if (schema instanceof z.ZodString) return anyText;
  throw new Error(`the resource has no form for a setting of type ${schema.def.type}`);
}

/**
 * Fields of a section of settings in Kubernetes form.
 * @param without keys that mean nothing in a cluster, or that have another form there.
 */
export function fieldsOf(
  schema: z.ZodType,
  without: readonly string[] = [],
): Record<string, z.ZodType> {
  const shape = shapeOfSection(schema);
  for (const key of without) {
    if (!Object.hasOwn(shape, key)) throw new Error(`the settings have no key ${key} to leave out`);
  }
  return Object.fromEntries(
    Object.entries(shape)
      .filter(([key]) => !without.includes(key))
      .map(([key, field]) => [key, fromSettings(field)]),
  );
}

/** The settings of a section. */
export function shapeOfSection(schema: z.ZodType): Readonly<Record<string, z.ZodType>> {
  if (schema instanceof z.ZodObject) return schema.shape;
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return shapeOfSection(schema.unwrap() as z.ZodType);
  }
  throw new Error("a section of settings is an object");
}
