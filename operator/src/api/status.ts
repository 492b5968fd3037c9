/** What the operator writes under `status`. */
import { z } from "zod";
import { described, optional } from "./section.ts";

export const conditionTypes = ["Ready", "Progressing", "Degraded", "ReplicasCapped"] as const;
export type ConditionType = (typeof conditionTypes)[number];

/** A condition as all of Kubernetes has them. */
export interface Condition {
  readonly type: ConditionType;
  readonly status: "True" | "False" | "Unknown";
  readonly observedGeneration: number;
  /** RFC 3339, to the second: when `status` was last another one. */
  readonly lastTransitionTime: string;
  readonly reason: string;
  /** What it is and what to do. */
  readonly message: string;
}

export interface Lag {
  /** Records between the committed watermarks and the ends. */
  readonly messages: number;
  /** How long ago the oldest of them was written, such as "42s"; absent when no pod answers. */
  readonly oldestAge?: string;
}

export interface DeadLetters {
  /** Dead letters of the group that the index holds. */
  readonly retained: number;
  /** RFC 3339: when the last one died. */
  readonly lastAt?: string;
}

export interface KafkaProxyStatus {
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
  /** Pods there are. */
  readonly replicas?: number;
  /** Of these, the ones that serve. */
  readonly readyReplicas?: number;
  /** Label selector of the pods as text, for the scale subresource. */
  readonly selector?: string;
  /** Of the topic, when last seen. */
  readonly partitions?: number;
  readonly lag?: Lag;
  readonly deadLetters?: DeadLetters;
}

const count = (description: string, format = "int32") =>
  optional(z.int().min(0).meta({ format }), description);
const time = (description: string) =>
  described(z.string().meta({ format: "date-time" }), description);
const words = (description: string, maxLength: number) =>
  described(z.string().max(maxLength), description);

const condition = z.object({
  type: described(z.enum(conditionTypes), "Ready, Progressing, Degraded or ReplicasCapped."),
  status: described(z.enum(["True", "False", "Unknown"]), "True, False or Unknown."),
  observedGeneration: described(
    z.int().min(0).meta({ format: "int64" }),
    "metadata.generation that this is about.",
  ),
  lastTransitionTime: time("When status was last another one."),
  reason: words("Why, in one CamelCase word for programs.", 1_024),
  message: words("What it is, and what to do.", 32_768),
});

export const statusSchema = described(
  z.object({
    observedGeneration: count("metadata.generation that was last acted upon.", "int64"),
    conditions: optional(
      z
        .array(condition)
        .max(16)
        .meta({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] }),
      "Where the proxies stand.",
    ),
    replicas: count("Pods there are."),
    readyReplicas: count("Pods that serve."),
    selector: optional(z.string().max(1_024), "Selector of the pods, for the scale subresource."),
    partitions: count("Partitions of the topic, when last seen."),
    lag: optional(
      z.object({
        messages: described(
          z.int().min(0).meta({ format: "int64" }),
          "Records that are not processed yet.",
        ),
        oldestAge: optional(
          z.string().max(32),
          "How old the oldest of them is; absent when no pod answers.",
        ),
      }),
      "What is waiting.",
    ),
    deadLetters: optional(
      z.object({
        retained: described(
          z.int().min(0).meta({ format: "int64" }),
          "Dead letters that the index holds.",
        ),
        lastAt: optional(z.string().meta({ format: "date-time" }), "When the last one died."),
      }),
      "What could not be processed, as last counted over all partitions.",
    ),
  }),
  "What the operator has seen.",
);
