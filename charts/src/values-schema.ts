// values.schema.json out of the commented values.yaml: one place says what a value is, means and may be.
import { isCollection, isMap, isScalar, type Pair, parseDocument, type YAMLMap } from "yaml";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** Lines of a comment that begin with @, by their first word. */
type Rules = Readonly<Record<string, string>>;

const known = ["enum", "items", "keys", "max", "min", "pattern", "type"];

/**
 * The schema of a chart's values. The type comes from the default; `@enum a, b`, `@min 0`, `@max 9`, `@pattern ^a$` and
 * `@type integer, string` say more. A list needs `@items string`; a map with keys of the user's choice needs `@keys any` or
 * `@keys string`; all other maps refuse keys that are not here.
 *
 * @throws Error that names the key which has no comment or whose comment is not understood.
 */
export function valuesSchema(text: string): JsonSchema {
  const { contents, errors } = parseDocument(text);
  if (errors[0] !== undefined) throw errors[0];
  if (!isMap(contents)) throw new Error("values.yaml is not a map");
  const { properties, ...rest } = schemaOfMap(contents, "");
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "Values",
    ...rest,
    properties: {
      ...(properties as object),
      // A chart that has ours as a dependency: Helm hands its `global` down, and the condition is found here by custom.
      enabled: { type: "boolean", description: "For a chart that depends on this one." },
      global: { type: "object", description: "For a chart that depends on this one." },
    },
  };
}

function schemaOfMap(map: YAMLMap, path: string): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  for (const [index, pair] of map.items.entries()) {
    const key = String(isScalar(pair.key) ? pair.key.value : pair.key);
    // What stands above a map's first key belongs to the map in the parser's eyes.
    const comment = commentOf(pair) ?? (index === 0 ? map.commentBefore : undefined) ?? "";
    properties[key] = schemaOfPair(pair, comment, path === "" ? key : `${path}.${key}`);
  }
  return { type: "object", additionalProperties: false, properties };
}

function commentOf({ key }: Pair): string | undefined {
  return (isScalar(key) ? key.commentBefore : undefined) ?? undefined;
}

function schemaOfPair({ value }: Pair, comment: string, path: string): JsonSchema {
  // The last paragraph: the file's own heading stands above its first key's.
  const [own = ""] = comment.split(/\n\s*\n/u).slice(-1);
  const lines = own.split("\n").map((line) => line.trim());
  const description = lines.filter((line) => line !== "" && !line.startsWith("@")).join(" ");
  if (description === "") throw new Error(`values.yaml: ${path} has no comment`);
  const rules = rulesOf(lines, path);
  if (isMap(value) && rules["keys"] === undefined) {
    if (value.items.length === 0) throw new Error(`values.yaml: ${path} needs @keys`);
    return { description, ...schemaOfMap(value, path) };
  }
  const fallback: unknown = isCollection(value)
    ? value.toJSON()
    : isScalar(value)
      ? value.value
      : null;
  return { description, ...schemaOfValue(fallback, rules, path), default: fallback };
}

function rulesOf(lines: readonly string[], path: string): Rules {
  const rules: Record<string, string> = {};
  for (const line of lines) {
    const [, name, rest] = /^@(\w+)\s+(.+)$/u.exec(line) ?? [];
    if (name === undefined || rest === undefined) {
      if (line.startsWith("@")) throw new Error(`values.yaml: ${path}: ${line} says nothing`);
    } else if (!known.includes(name)) {
      throw new Error(`values.yaml: ${path}: @${name} is none of @${known.join(", @")}`);
    } else rules[name] = rest;
  }
  return rules;
}

function schemaOfValue(value: unknown, rules: Rules, path: string): JsonSchema {
  if (rules["enum"] !== undefined) return { enum: list(rules["enum"]) };
  if (Array.isArray(value)) {
    if (rules["items"] === undefined) throw new Error(`values.yaml: ${path} needs @items`);
    return { type: "array", items: { type: rules["items"] } };
  }
  if (typeof value === "object" && value !== null) {
    return {
      type: "object",
      ...(rules["keys"] !== "any" && { additionalProperties: { type: rules["keys"] } }),
    };
  }
  return {
    type: rules["type"] === undefined ? typeOf(value, path) : list(rules["type"]),
    ...(rules["pattern"] !== undefined && { pattern: rules["pattern"] }),
    ...(rules["min"] !== undefined && { minimum: Number(rules["min"]) }),
    ...(rules["max"] !== undefined && { maximum: Number(rules["max"]) }),
  };
}

function list(text: string): string[] {
  return text.split(",").map((part) => part.trim());
}

function typeOf(value: unknown, path: string): string {
  if (typeof value === "string" || typeof value === "boolean") return typeof value;
  if (Number.isInteger(value)) return "integer";
  throw new Error(`values.yaml: ${path} has a default that tells no type`);
}
