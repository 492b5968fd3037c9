import { ConfigError, parseSettings } from "@kafkaproxy/proxy";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { CliError, exitCodes } from "../cli-error.ts";

/** API group and version of the resource. */
export const apiVersion = "kafkaproxy.dev/v1alpha1";

/** A `KafkaProxy` as far as a machine without Kubernetes needs it. */
export interface KafkaProxyResource {
  readonly name: string;
  readonly namespace: string;
  readonly replicas: number;
  readonly paused: boolean;
  /** The rest of spec: the proxy's own configuration, checked by the proxy's schema. */
  readonly settings: Readonly<Record<string, unknown>>;
}

const segment = z
  .string()
  .regex(
    /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/u,
    "at most 63 small letters, digits and hyphens, a letter or digit at both ends",
  );

const schema = z.object({
  apiVersion: z.literal(apiVersion),
  kind: z.literal("KafkaProxy"),
  metadata: z.object({ name: segment, namespace: segment.default("default") }),
  spec: z.looseObject({
    replicas: z.int().min(0).max(1000).default(1),
    paused: z.boolean().default(false),
  }),
});

/** What a proxy's configuration has and a resource says otherwise, or not at all: each proxy gets its own. */
const notInSpec = ["namespace", "instance", "ordinal", "configGeneration"] as const;

function found(document: unknown, path: readonly PropertyKey[]): string {
  let value = document;
  for (const key of path) {
    value = (value as Record<PropertyKey, unknown> | null | undefined)?.[key];
  }
  return value === undefined ? "nothing" : JSON.stringify(value);
}

/** What a proxy would say to `spec` as its configuration. */
function settingsProblems(
  document: unknown,
  file: string,
  environment: NodeJS.ProcessEnv,
): readonly string[] {
  const spec = (document as { spec?: unknown }).spec;
  if (typeof spec !== "object" || spec === null) return [];
  const problems = notInSpec
    .filter((key) => Object.hasOwn(spec, key))
    .map(
      (key) => `spec.${key}: found ${found(spec, [key])}; allowed: nothing, each proxy has its own`,
    );
  const settings: Record<string, unknown> = { ...spec };
  for (const key of ["replicas", "paused", ...notInSpec]) delete settings[key];
  try {
    parseSettings({ ...settings, instance: "any-0" }, environment, file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const { key, found: what, allowed } of error.problems) {
      problems.push(`spec${key === "" ? "" : `.${key}`}: found ${what}; allowed: ${allowed}`);
    }
  }
  return problems;
}

/**
 * Reads the KafkaProxy resources of a YAML file; documents of other kinds are passed over.
 * @throws CliError (usage) with every problem at once: the key, what was found, what is allowed.
 */
export function readResources(
  text: string,
  file: string,
  environment: NodeJS.ProcessEnv = process.env,
): readonly KafkaProxyResource[] {
  const problems: string[] = [];
  const resources: KafkaProxyResource[] = [];
  for (const document of parseAllDocuments(text)) {
    problems.push(...document.errors.map((error) => error.message));
    if (document.errors.length > 0) continue;
    const value: unknown = document.toJS();
    if ((value as { kind?: unknown } | null)?.kind !== "KafkaProxy") continue;
    const parsed = schema.safeParse(value);
    for (const { path, message } of parsed.error?.issues ?? []) {
      problems.push(`${path.join(".")}: found ${found(value, path)}; ${message}`);
    }
    problems.push(...settingsProblems(value, file, environment));
    if (!parsed.success) continue;
    const { metadata, spec } = parsed.data;
    if (
      resources.some(
        ({ name, namespace }) => name === metadata.name && namespace === metadata.namespace,
      )
    ) {
      problems.push(
        `metadata.name: found ${metadata.name} twice in namespace ${metadata.namespace}`,
      );
    }
    const { replicas, paused, ...settings } = spec;
    resources.push({ ...metadata, replicas, paused, settings });
  }
  if (problems.length === 0 && resources.length === 0) {
    problems.push(`no resource of kind KafkaProxy, apiVersion ${apiVersion}, in it`);
  }
  if (problems.length > 0) {
    throw new CliError(exitCodes.usage, [`${file}:`, ...problems].join("\n  "));
  }
  return resources;
}

/** The configuration of one of a resource's proxies, as the object that a proxy's YAML file holds. */
export function proxySettings(
  resource: KafkaProxyResource,
  ordinal: number,
): Record<string, unknown> {
  return {
    ...resource.settings,
    namespace: resource.namespace,
    paused: resource.paused,
    instance: `${resource.name}-${ordinal}`,
    ordinal,
    replicas: Math.max(1, resource.replicas),
  };
}
