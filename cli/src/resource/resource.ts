import {
  commonSettings,
  type KafkaProxy,
  parseResource,
  ResourceError,
  secretReferences,
} from "@kafkaproxy/operator/resource";
import { ConfigError, environmentSecrets, parseSettings } from "@kafkaproxy/proxy";
import { CliError, exitCodes } from "../cli-error.ts";

/** A `KafkaProxy` as a machine without Kubernetes runs it. */
export interface KafkaProxyResource {
  readonly name: string;
  readonly namespace: string;
  readonly replicas: number;
  /** What all of its proxies have in common. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** What is otherwise than in a cluster, for people. */
  readonly notes: readonly string[];
}

/**
 * Reads the KafkaProxy resources of a YAML file, the very same as for Kubernetes; documents of other
 * kinds are passed over.
 * @throws CliError (usage) with every problem at once: the field, what was found, what is allowed.
 */
export function readResources(
  text: string,
  file: string,
  environment: NodeJS.ProcessEnv = process.env,
): readonly KafkaProxyResource[] {
  const resources = parsed(text, file);
  const problems = [
    ...twice(resources),
    ...resources.flatMap((each) => refused(each, environment)),
  ];
  if (problems.length > 0) {
    throw new CliError(exitCodes.usage, [`${file}:`, ...problems].join("\n  "));
  }
  return resources.map((resource) => ({
    name: resource.metadata.name,
    namespace: resource.metadata.namespace,
    replicas: resource.spec.replicas,
    settings: commonSettings(resource),
    notes: notesOn(resource),
  }));
}

function parsed(text: string, file: string): readonly KafkaProxy[] {
  try {
    return parseResource(text, file);
  } catch (cause) {
    if (!(cause instanceof ResourceError)) throw cause;
    throw new CliError(exitCodes.usage, cause.message, { cause });
  }
}

function twice(resources: readonly KafkaProxy[]): string[] {
  const seen = new Set<string>();
  return resources.flatMap(({ metadata: { name, namespace } }) => {
    const key = `${namespace}/${name}`;
    if (seen.has(key)) return [`metadata.name: found ${name} twice in namespace ${namespace}`];
    seen.add(key);
    return [];
  });
}

const variables = Object.fromEntries(
  Object.entries(environmentSecrets).map(([variable, key]) => [key, variable]),
);

/** What a proxy would say to the resource's settings. */
function refused(resource: KafkaProxy, environment: NodeJS.ProcessEnv): string[] {
  try {
    parseSettings({ ...commonSettings(resource), instance: "any-0" }, environment);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ key, found, allowed }) => {
      const variable = variables[key];
      return variable === undefined
        ? `spec.${key}: found ${found}; allowed: ${allowed}`
        : `spec.${key}Secret: a Secret is Kubernetes'; on this machine set ${variable}`;
    });
  }
}

/** Secrets that are neither read here nor replaced by the environment. */
const without: Readonly<Record<string, string>> = {
  "spec.kafka.tls.caSecret":
    "Node's own list of authorities counts; NODE_EXTRA_CA_CERTS adds to it",
  "spec.kafka.tls.clientSecret": "the brokers see no certificate of this client",
  "spec.listener.tls": "workers connect over loopback without TLS",
  "spec.listener.tokenSecret": "workers connect over loopback without a token",
};

function notesOn(resource: KafkaProxy): string[] {
  const fields = new Set(secretReferences(resource.spec).map(({ field }) => field));
  return [...fields].flatMap((field) => {
    const instead = without[field];
    return instead === undefined ? [] : [`${field} is for Kubernetes; here ${instead}`];
  });
}

/** The configuration of one of a resource's proxies, as the object that a proxy's YAML file holds. */
export function proxySettings(
  { name, settings, replicas }: KafkaProxyResource,
  ordinal: number,
): Record<string, unknown> {
  const own = { instance: `${name}-${ordinal}`, ordinal, replicas: Math.max(1, replicas) };
  return { ...settings, ...own };
}
