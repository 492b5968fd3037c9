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

const onceEach = "must have each name once";

const environment = z
  .array(
    z
      .looseObject({
        name: z
          .string({ error: "must be a name" })
          .min(1, { error: "must be a name" })
          .max(1_024)
          .meta({ description: "Name of the variable." }),
      })
      .meta({ "x-kubernetes-preserve-unknown-fields": true }),
  )
  .max(256)
  .refine((list) => new Set(list.map(({ name }) => name)).size === list.length, {
    error: onceEach,
  })
  .meta({
    allowed: asInAPod("containers.env"),
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
  });

const texts = (allowed: string) => z.record(z.string(), z.string().max(65_536)).meta({ allowed });

const quantityForm = "^[0-9]{1,15}([.][0-9]{1,9})?([numkMGTPE]|[KMGTPE]i|[eE][0-9]{1,2})?$";
const aQuantity = "must be a quantity, such as 500m or 512Mi";

const quantity = z
  .union([z.int(), z.string()], { error: aQuantity })
  .refine((value) => new RegExp(quantityForm, "u").test(String(value)), { error: aQuantity })
  .meta({
    maxLength: 32,
    "x-kubernetes-int-or-string": true,
    "x-kubernetes-validations": [
      { rule: `string(self).matches(r'${quantityForm}')`, message: aQuantity },
    ],
  });

const quantities = z.record(z.string(), quantity).meta({
  allowed: "quantities by resource, such as {cpu: 500m, memory: 512Mi}",
  maxProperties: 32,
});

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
      "What it may use at most. Memory must hold queue.maxBytes, the largest record, listener.maxOutboundBytes, two fetches a broker and one more, and 200Mi. Default: none.",
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
  env: optional(environment, "Environment of the proxy's container."),
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
