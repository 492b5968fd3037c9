/** What a user can say about the pods; it goes into the pod template as it is. */
import { z } from "zod";
import { optional, section } from "./section.ts";

const asInAPod = (field: string) => `as in a pod: kubectl explain pod.spec.${field}`;

/** An object whose fields Kubernetes checks where it is used. */
const anyObject = z.looseObject({}).meta({ "x-kubernetes-preserve-unknown-fields": true });

const listOf = (field: string) =>
  z
    .array(anyObject)
    .max(256)
    .meta({ allowed: asInAPod(field) });

const texts = (allowed: string) => z.record(z.string(), z.string().max(65_536)).meta({ allowed });

const quantities = z
  .record(z.string(), z.union([z.int(), z.string()]).meta({ "x-kubernetes-int-or-string": true }))
  .meta({ allowed: "quantities by resource, such as {cpu: 500m, memory: 512Mi}" });

const kept = ["app.kubernetes.io/", "kafkaproxy.dev/"];

/** Labels and annotations of these prefixes are the operator's own. */
export const isKept = (key: string): boolean => kept.some((prefix) => key.startsWith(prefix));

const foreign = (what: string) => ({
  "x-kubernetes-validations": [
    {
      rule: `self.all(key, ${kept.map((prefix) => `!key.startsWith('${prefix}')`).join(" && ")})`,
      message: `must not hold ${what} that begin with ${kept.join(" or ")}: they are the operator's`,
    },
  ],
  maxProperties: 64,
});

const ownLabels = (what: string) =>
  z
    .record(z.string(), z.string().max(4_096))
    .refine((value) => !Object.keys(value).some(isKept), {
      error: `must not hold ${what} that begin with ${kept.join(" or ")}: they are the operator's`,
    })
    .meta({ allowed: `${what}, texts by name`, ...foreign(what) });

export const podSection = section("What is added to the pods, as in a pod.", {
  labels: optional(ownLabels("labels"), "Labels of the pods."),
  annotations: optional(ownLabels("annotations"), "Annotations of the pods."),
  resources: section("Resources of the proxy's container.", {
    requests: optional(quantities, "What is set aside. Default: 100m of CPU and 256Mi of memory."),
    limits: optional(
      quantities,
      "What it may use at most. Memory must hold queue.maxBytes, listener.maxOutboundBytes, two fetches a broker, and 128Mi. Default: none.",
    ),
  }),
  nodeSelector: optional(texts(asInAPod("nodeSelector")), "Labels that a node must have."),
  tolerations: optional(listOf("tolerations"), "Taints of nodes that do not matter."),
  affinity: optional(
    anyObject.meta({ "x-kubernetes-preserve-unknown-fields": true, allowed: asInAPod("affinity") }),
    "Where pods are to be.",
  ),
  topologySpreadConstraints: optional(
    listOf("topologySpreadConstraints"),
    "How pods are spread. Default: over nodes, as far as that is possible.",
  ),
  env: optional(listOf("containers.env"), "Environment of the proxy's container."),
  priorityClassName: optional(
    z.string().min(1).max(253).meta({ allowed: "the name of a PriorityClass" }),
    "How important the pods are.",
  ),
  imagePullSecrets: optional(
    z
      .array(
        z.strictObject({
          name: z.string().min(1).max(253).meta({ description: "Name of the Secret." }),
        }),
      )
      .max(16)
      .meta({ allowed: "a list of objects with a name" }),
    "Secrets to pull the image with.",
  ),
});
