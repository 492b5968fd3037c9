import { createHash } from "node:crypto";
import { type KafkaProxy, type Problem, secretReferences } from "../api/index.ts";

/** What was observed outside of the resource. */
export interface Facts {
  /** The proxies' image. */
  readonly image: string;
  /** Default: Kubernetes' own, by the image's tag. */
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  /** Partitions of the topic, when they were just read; else undefined. */
  readonly partitions: number | undefined;
  /** Replicas that the StatefulSet asks for now; undefined when there is none. */
  readonly running: number | undefined;
  /** Of `readSecrets`. */
  readonly secrets: SecretsFact;
  /** Whether the cluster has the CRD of PodMonitor. */
  readonly podMonitors: boolean;
}

export interface SecretsFact {
  /** Over all values that the resource takes from Secrets; undefined when one can't be had, "" when it takes none. */
  readonly hash: string | undefined;
  /** SecretMissing or SecretUnreadable for each that can't be had. */
  readonly problems: readonly Problem[];
}

/** Data of Secrets by name, base64 as the API server gives it; undefined for one that is not there. */
export type SecretData = Readonly<Record<string, Readonly<Record<string, string>> | undefined>>;

/**
 * What the resource's Secrets say. Keys that it does not take do not matter.
 *
 * @param refused the API server's words by name, for Secrets that the operator may not read.
 */
export function readSecrets(
  { metadata, spec }: KafkaProxy,
  data: SecretData,
  refused: Readonly<Record<string, string>> = {},
): SecretsFact {
  const problems = new Map<string, Problem>();
  const values: string[] = [];
  for (const { field, secret, key, file } of secretReferences(spec)) {
    const value = data[secret]?.[key];
    if (value !== undefined) {
      values.push(`${file}=${value}`);
      continue;
    }
    const names = `${field} names Secret ${metadata.namespace}/${secret}`;
    const words = refused[secret];
    const what = data[secret] === undefined ? "which is not there" : `which has no key ${key}`;
    const problem: Problem =
      words === undefined
        ? { reason: "SecretMissing", found: `${names}, ${what}` }
        : { reason: "SecretUnreadable", found: `${names}, which may not be read: ${words}` };
    problems.set(problem.found, problem);
  }
  if (problems.size > 0) return { hash: undefined, problems: [...problems.values()] };
  return { hash: values.length === 0 ? "" : hashOf(values), problems: [] };
}

/** 16 hexadecimal digits of a value's SHA-256. */
export function hashOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 16);
}

export interface Replicas {
  readonly asked: number;
  /** What the StatefulSet is to ask for. */
  readonly wanted: number;
  /** Of the topic, when last seen. */
  readonly partitions: number | undefined;
}

/**
 * As many as are asked for, and at most as many as there are partitions. When these are not known, the
 * last known number counts; when there is none, what runs is left as it is.
 */
export function replicasOf({ spec, status }: KafkaProxy, facts: Facts): Replicas {
  const partitions = facts.partitions ?? status?.partitions;
  const limit = partitions ?? facts.running ?? 0;
  return { asked: spec.replicas, wanted: Math.min(spec.replicas, limit), partitions };
}
