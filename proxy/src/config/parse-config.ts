import { ConfigError, type ConfigProblem } from "./config-error.ts";
import { derived, type ValueOf } from "./derived.ts";
import { entriesOf } from "./field.ts";
import { type Machine, normalise, thisMachine } from "./normalise.ts";
import { readProperties } from "./properties.ts";
import type { ProxyConfig } from "./proxy-config.ts";
import { problemsOf } from "./problems.ts";
import { rules } from "./rules.ts";
import { settingsSchema } from "./schema.ts";
import type { SourceDocument } from "./source-document.ts";
import { readYaml } from "./yaml.ts";

/** A configuration file's text. */
export interface ConfigSource {
  readonly text: string;
  readonly format: "yaml" | "properties";
  /** Its path: for errors, and where relative paths in it begin. */
  readonly file?: string;
}

/** Environment variables; only those of `environmentSecrets` and `environmentPlace` are read. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The configuration that a file says, checked, complete and frozen.
 *
 * @param machine where the defaults of `instance` and `listener.advertisedHost` come from.
 * @throws ConfigError with everything that is wrong in it.
 */
export function parseConfig(
  source: ConfigSource,
  env: Environment,
  machine: Machine = thisMachine(),
): ProxyConfig {
  const file = source.file ?? "the configuration";
  const read = source.format === "yaml" ? readYaml : readProperties;
  return parseDocument(read(source.text, file), source.file, env, machine);
}

/**
 * The same from settings that are values already: the spec of a KafkaProxy resource, say.
 *
 * @param file the file they come from, as in `ConfigSource`.
 * @throws ConfigError with everything that is wrong in them.
 */
export function parseSettings(
  settings: unknown,
  env: Environment,
  file?: string,
  machine: Machine = thisMachine(),
): ProxyConfig {
  return parseDocument({ settings, problems: [], origin: () => undefined }, file, env, machine);
}

const fields = entriesOf(settingsSchema).filter((entry) => entry.kind === "field");

function parseDocument(
  document: SourceDocument,
  file: string | undefined,
  env: Environment,
  machine: Machine,
): ProxyConfig {
  const settings = withoutNulls(document.settings);
  const parsed = settingsSchema.safeParse(settings);
  const problems: ConfigProblem[] = parsed.success ? [] : problemsOf(parsed.error, settings);
  const broken = new Set(problems.map(({ key }) => key));
  const value = valuesOf(settings, env);
  for (const rule of Object.values(rules)) {
    const problem = rule(value, (key) => valueAt(settings, key) !== undefined);
    if (problem !== undefined && !broken.has(problem.key)) problems.push(problem);
  }
  const all = [...document.problems, ...problems.map((problem) => located(problem, document))];
  if (all.length > 0 || !parsed.success) {
    throw new ConfigError("invalid", file ?? "the configuration", all);
  }
  return normalise(parsed.data, { file, env, machine });
}

/** Names the problem as the file does, with its line. */
function located(problem: ConfigProblem, document: SourceDocument): ConfigProblem {
  const origin = document.origin(problem.key);
  return {
    ...problem,
    key: origin?.name ?? problem.key,
    ...(origin?.line === undefined ? {} : { line: origin.line }),
  };
}

/** Each field parsed by itself, so that a rule can look at it while others are wrong. */
function valuesOf(settings: unknown, env: Environment): ValueOf {
  const byPath = new Map(fields.map((field) => [field.path, field.schema]));
  const value: ValueOf = (key) => {
    const schema = byPath.get(key);
    if (schema === undefined) return env[key] === "" ? undefined : env[key];
    const written = valueAt(settings, key);
    if (written === undefined && Object.hasOwn(derived, key)) return derived[key]?.(value);
    const parsed = schema.safeParse(written);
    return parsed.success ? parsed.data : undefined;
  };
  return value;
}

/** The value under a dotted key; undefined when there is none. */
function valueAt(settings: unknown, key: string): unknown {
  let value = settings;
  for (const part of key.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) {
      return undefined;
    }
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** A key without a value (`queue:` alone in YAML) counts as not given. */
function withoutNulls(value: unknown): unknown {
  if (value === null) return undefined;
  if (typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, withoutNulls(inner)] as const),
  );
}
