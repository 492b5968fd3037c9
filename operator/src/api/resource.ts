/** The KafkaProxy resource: its names, its types, its schema. */
import { z } from "zod";
import type { KafkaProxyStatus } from "./status.ts";
import { specSchema } from "./spec.ts";

export const group = "kafkaproxy.dev";
export const version = "v1alpha1";
export const apiVersion = `${group}/${version}`;
export const kind = "KafkaProxy";
export const plural = "kafkaproxies";

/** One value of a Secret in the resource's namespace. */
export interface SecretKeyRef {
  readonly name: string;
  readonly key: string;
}

/** A Secret of type kubernetes.io/tls in the resource's namespace. */
export interface TlsSecretRef {
  readonly name: string;
}

/** Settings that go to the proxies as they are. */
export type Passed = Readonly<Record<string, unknown>>;

type Objects = readonly Readonly<Record<string, unknown>>[];
type Texts = Readonly<Record<string, string>>;

/** `spec` with its defaults filled in; durations and quantities as they are written. */
export interface KafkaProxySpec {
  readonly topic: string;
  readonly consumerGroup: string;
  readonly replicas: number;
  readonly paused: boolean;
  readonly kafka: {
    readonly bootstrapServers: readonly string[];
    readonly tls: {
      readonly enabled?: boolean;
      readonly serverName?: string;
      readonly insecureSkipVerify: boolean;
      readonly caSecret?: SecretKeyRef;
      readonly clientSecret?: TlsSecretRef;
    };
    readonly sasl?: {
      readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
      readonly username: string;
      readonly passwordSecret: SecretKeyRef;
    };
    readonly [passed: string]: unknown;
  };
  readonly zookeeper: {
    readonly servers: readonly string[];
    readonly root: string;
    readonly auth?: { readonly username: string; readonly passwordSecret: SecretKeyRef };
    readonly [passed: string]: unknown;
  };
  readonly queue: Passed;
  readonly delivery: Passed;
  readonly pull: Passed;
  readonly push: Passed;
  readonly commit: Passed;
  readonly deadLetter: Passed;
  readonly listener: {
    readonly port: number;
    readonly advertisedHost?: string;
    readonly tls?: TlsSecretRef;
    readonly tokenSecret?: SecretKeyRef;
    readonly [passed: string]: unknown;
  };
  readonly admin: { readonly port: number; readonly tokenSecret?: SecretKeyRef };
  /** Such as "30s". */
  readonly drainTimeout: string;
  readonly log: Passed;
  readonly pod: {
    readonly labels?: Texts;
    readonly annotations?: Texts;
    readonly resources: { readonly requests?: Passed; readonly limits?: Passed };
    readonly nodeSelector?: Texts;
    readonly tolerations?: Objects;
    readonly affinity?: Passed;
    readonly topologySpreadConstraints?: Objects;
    readonly env?: Objects;
    readonly priorityClassName?: string;
    readonly imagePullSecrets?: readonly { readonly name: string }[];
  };
  readonly podDisruptionBudget: { readonly enabled: boolean; readonly maxUnavailable: number };
  readonly networkPolicy: { readonly enabled: boolean; readonly workers?: Objects };
  readonly podMonitor: {
    readonly enabled: boolean;
    readonly interval: string;
    readonly labels?: Texts;
  };
}

export interface KafkaProxyMetadata {
  readonly name: string;
  readonly namespace: string;
  readonly uid?: string;
  readonly generation?: number;
  readonly resourceVersion?: string;
  readonly deletionTimestamp?: string;
  readonly [other: string]: unknown;
}

export interface KafkaProxy {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: KafkaProxyMetadata;
  readonly spec: KafkaProxySpec;
  readonly status?: KafkaProxyStatus;
}

/** Longest name: the StatefulSet's revision, a hyphen and ten more characters, is a label of 63. */
export const maxNameLength = 52;
export const namePattern = "^[a-z]([a-z0-9-]*[a-z0-9])?$";
export const nameAllowed = `a small letter, then small letters, digits and hyphens, ${maxNameLength} characters at most, no hyphen at the end: Service and pods are named after it`;

const name = z
  .string({ error: `must be ${nameAllowed}` })
  .max(maxNameLength, { error: `must be ${nameAllowed}` })
  .regex(new RegExp(namePattern, "u"), { error: `must be ${nameAllowed}` });
const label = "small letters, digits and hyphens, 63 at most";
const namespace = z
  .string({ error: `must be ${label}` })
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/u, {
    error: `must be ${label}`,
  });

/** The whole resource. What Kubernetes itself adds to metadata, and the status, is passed through. */
export const resourceSchema = z.looseObject({
  apiVersion: z.literal(apiVersion, { error: `must be ${apiVersion}` }),
  kind: z.literal(kind, { error: `must be ${kind}` }),
  metadata: z.looseObject(
    { name, namespace: z.prefault(namespace, "default") },
    { error: "must be an object with the key name" },
  ),
  spec: specSchema,
});
