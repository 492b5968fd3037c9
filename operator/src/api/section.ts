/** Fields and sections of the resource, each with its description. */
import { z } from "zod";

/** The schema with a description; what its kind says of it stays. */
export function described<T extends z.ZodType>(schema: T, description: string): T {
  return schema.meta({ ...schema.meta(), description });
}

/** An object that takes no other keys, and names those it takes. */
export function fields<S extends z.ZodRawShape>(shape: S) {
  const keys = Object.keys(shape).join(", ");
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? `is unknown; known here are ${keys}`
        : `must be an object with the keys ${keys}`,
  });
}

/** A section that is there even when it is not written. */
export function section(description: string, shape: z.ZodRawShape) {
  // A section without its required keys is refused by its own fields, each by name.
  return described(z.prefault(fields(shape), {}), description);
}

/** A section that means nothing when it is absent. */
export function optionalSection(description: string, shape: z.ZodRawShape) {
  return described(z.optional(fields(shape)), description);
}

export function required(schema: z.ZodType, description: string): z.ZodType {
  return described(schema, description);
}

export function optional(schema: z.ZodType, description: string): z.ZodType {
  return described(z.optional(schema), description);
}

export function defaulted(schema: z.ZodType, written: unknown, description: string): z.ZodType {
  return described(z.prefault(schema, written), description);
}
