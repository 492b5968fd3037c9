/** Fields and sections of the configuration: a zod schema and the words about it, kept together. */
import { z } from "zod";
import type { Kind } from "./kinds.ts";

/** What errors and the reference page say about a key. */
export interface FieldWords {
  readonly description: string;
  readonly allowed: string;
  /** As written in a file or in words; undefined when the key must be given, "" when its absence means none. */
  readonly default: string | undefined;
  /** Its value is never shown. */
  readonly secret: boolean;
}

const words = z.registry<FieldWords>();
const sectionWords = z.registry<{ description: string }>();

/** A key that must be given. */
export function required<T extends z.ZodType>(kind: Kind<T>, description: string): T {
  const schema = kind.schema.meta({ description });
  words.add(schema, wordsOf(kind, description, undefined));
  return schema;
}

/** A key with a fixed default, written as in a file. */
export function defaulted<T extends z.ZodType>(
  kind: Kind<T>,
  written: z.input<T> & (string | number | boolean),
  description: string,
): z.ZodPrefault<T> {
  const schema = z.prefault(kind.schema, written).meta({ description });
  words.add(schema, wordsOf(kind, description, String(written)));
  return schema;
}

/** A key whose default depends on others (`otherwise` says how), or that means nothing when it is absent (""). */
export function optional<T extends z.ZodType>(
  kind: Kind<T>,
  otherwise: string,
  description: string,
  secret = false,
): z.ZodOptional<T> {
  const schema = z.optional(kind.schema).meta({ description, otherwise });
  words.add(schema, { ...wordsOf(kind, description, otherwise), secret });
  return schema;
}

function wordsOf<T extends z.ZodType>(
  kind: Kind<T>,
  description: string,
  written: string | undefined,
): FieldWords {
  return { description, allowed: kind.allowed, default: written, secret: false };
}

/** A section that is there even when the file does not name it. */
export function section<S extends z.ZodRawShape>(
  description: string,
  shape: S,
): z.ZodPrefault<z.ZodObject<S, z.core.$strict>> {
  // A section without its required keys is refused by its own fields, each by name.
  const schema = z.prefault(z.strictObject(shape), {} as never).meta({ description });
  sectionWords.add(schema, { description });
  return schema;
}

/** A section that means nothing when it is absent. */
export function optionalSection<S extends z.ZodRawShape>(
  description: string,
  shape: S,
): z.ZodOptional<z.ZodObject<S, z.core.$strict>> {
  const schema = z.optional(z.strictObject(shape)).meta({ description });
  sectionWords.add(schema, { description });
  return schema;
}

/** One entry of the reference, in the order of the schema. */
export type Entry =
  | { readonly kind: "section"; readonly path: string; readonly description: string }
  | {
      readonly kind: "field";
      readonly path: string;
      readonly words: FieldWords;
      readonly schema: z.ZodType;
    };

/** All sections and fields below an object schema, with their dotted paths. */
export function entriesOf(object: z.ZodObject, prefix = ""): Entry[] {
  return Object.entries(object.shape).flatMap(([key, schema]): Entry[] => {
    const path = prefix === "" ? key : `${prefix}.${key}`;
    const type = schema as z.ZodType;
    const field = words.get(type);
    if (field !== undefined) return [{ kind: "field", path, words: field, schema: type }];
    const found = sectionWords.get(type);
    const inner = innerObject(type);
    if (found === undefined || inner === undefined) {
      throw new Error(`${path} of the schema is neither a field nor a section`);
    }
    return [{ kind: "section", path, description: found.description }, ...entriesOf(inner, path)];
  });
}

function innerObject(schema: z.ZodType): z.ZodObject | undefined {
  if (schema instanceof z.ZodObject) return schema;
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return innerObject(schema.unwrap() as z.ZodType);
  }
  return undefined;
}
