/** KafkaProxy resources from what is written, with all that is wrong in them at once. */
import { parseAllDocuments } from "yaml";
import type { z } from "zod";
import { apiVersion, kind, type KafkaProxy, resourceSchema } from "./resource.ts";

export const resourceErrorCodes = ["not-yaml", "invalid", "none"] as const;
export type ResourceErrorCode = (typeof resourceErrorCodes)[number];

/** A resource that can't be used. `problems` has all that is wrong, each with field, found and allowed. */
export class ResourceError extends Error {
  readonly code: ResourceErrorCode;
  readonly problems: readonly string[];

  constructor(code: ResourceErrorCode, where: string, problems: readonly string[]) {
    super([`${where}:`, ...problems].join("\n  "));
    this.name = "ResourceError";
    this.code = code;
    this.problems = problems;
  }
}

/**
 * One resource, from the API server or out of a file, with its defaults.
 * @throws ResourceError (invalid)
 */
export function readResource(object: unknown): KafkaProxy {
  const parsed = resourceSchema.safeParse(object);
  if (parsed.success) return parsed.data as unknown as KafkaProxy;
  throw new ResourceError("invalid", nameOf(object), problemsOf(parsed.error, object));
}

/**
 * The KafkaProxy resources of a YAML file; documents of other kinds are passed over.
 * @throws ResourceError: `not-yaml`, `invalid`, or `none` when there is no KafkaProxy in it.
 */
export function parseResource(text: string, file: string): readonly KafkaProxy[] {
  const documents = parseAllDocuments(text, { prettyErrors: false });
  const broken = documents.flatMap(({ errors }) => errors.map(({ message }) => message));
  if (broken.length > 0) throw new ResourceError("not-yaml", file, broken);
  const candidates = documents
    .map((document): unknown => document.toJS())
    .filter((value) => field(value, "kind") === kind);
  const problems: string[] = [];
  const resources: KafkaProxy[] = [];
  for (const candidate of candidates) {
    try {
      resources.push(readResource(candidate));
    } catch (error) {
      if (!(error instanceof ResourceError)) throw error;
      const about = candidates.length === 1 ? "" : `${nameOf(candidate)}: `;
      problems.push(...error.problems.map((problem) => `${about}${problem}`));
    }
  }
  if (problems.length > 0) throw new ResourceError("invalid", file, problems);
  if (resources.length === 0) {
    const none = `no resource of kind ${kind}, apiVersion ${apiVersion}, in it`;
    throw new ResourceError("none", file, [none]);
  }
  return resources;
}

function problemsOf(error: z.ZodError, object: unknown): string[] {
  const problems = error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => `${[...path, key].join(".")}: ${issue.message}`);
    }
    return [`${path.join(".")}: found ${found(object, path)}; ${issue.message}`];
  });
  return [...new Set(problems)];
}

const longestShown = 80;

function found(object: unknown, path: readonly string[]): string {
  let value = object;
  for (const key of path) value = field(value, key);
  if (value === undefined) return "nothing";
  const json = JSON.stringify(value);
  return json.length > longestShown ? `${json.slice(0, longestShown)}...` : json;
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

function nameOf(object: unknown): string {
  const [name, namespace] = ["name", "namespace"].map((key) =>
    field(field(object, "metadata"), key),
  );
  const text = typeof name === "string" ? name : "a KafkaProxy without a name";
  return typeof namespace === "string" ? `${namespace}/${text}` : text;
}
