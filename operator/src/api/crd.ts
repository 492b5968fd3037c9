/** The CustomResourceDefinition, made from the schema. */
import { stringify } from "yaml";
import { z } from "zod";
import {
  apiVersion,
  group,
  kind,
  maxNameLength,
  nameAllowed,
  namePattern,
  plural,
  version,
} from "./resource.ts";
import { specSchema } from "./spec.ts";
import { statusSchema } from "./status.ts";

/** A part of a structural schema. */
export interface StructuralSchema {
  readonly [key: string]: unknown;
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly required?: readonly string[];
  readonly items?: StructuralSchema;
  readonly allowed?: string;
}

/** The schema as JSON Schema, with the words about each value under `allowed`. */
export function withWords(schema: z.ZodType): StructuralSchema {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return json as unknown as StructuralSchema;
}

/** What JSON Schema has and a structural schema may not have, or has otherwise. */
function structural(schema: StructuralSchema): StructuralSchema {
  const {
    allowed: _allowed,
    $schema: _schema,
    propertyNames: _names,
    kind: _kind,
    ...rest
  } = schema;
  const result: Record<string, unknown> = { ...rest };
  const isObject = result["type"] === "object" && schema.properties !== undefined;
  if (isObject) delete result["additionalProperties"];
  const keeps = schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (keeps && Object.keys(schema.properties ?? {}).length === 0) delete result["properties"];
  if (schema["x-kubernetes-int-or-string"] === true) {
    delete result["anyOf"];
    delete result["type"];
  }
  if (result["type"] === "integer") {
    // Beyond these the format says it.
    if (result["maximum"] === Number.MAX_SAFE_INTEGER) delete result["maximum"];
    if (result["minimum"] === Number.MIN_SAFE_INTEGER) delete result["minimum"];
  }
  if (schema.properties !== undefined && result["properties"] !== undefined) {
    const inside = Object.entries(schema.properties);
    result["properties"] = Object.fromEntries(
      inside.map(([key, inner]) => [key, structural(inner)]),
    );
    const needed = inside.filter(([, inner]) => cannotBeEmpty(inner)).map(([key]) => key);
    const required = [...new Set([...(schema.required ?? []), ...needed])];
    if (required.length > 0) result["required"] = required;
  }
  if (cannotBeEmpty(schema)) delete result["default"];
  for (const key of ["items", "additionalProperties"]) {
    const inner = result[key];
    if (typeof inner === "object" && inner !== null) {
      result[key] = structural(inner as StructuralSchema);
    }
  }
  return ordered(result);
}

/** A section that has fields without a default: it must be written, where others begin as {}. */
const cannotBeEmpty = (schema: StructuralSchema): boolean =>
  schema.default !== undefined && (schema.required ?? []).length > 0;

const first = ["description", "type", "format", "default", "enum"];

function ordered(schema: Record<string, unknown>): StructuralSchema {
  const keys = Object.keys(schema);
  const rest = keys.filter((key) => !first.includes(key) && key !== "properties");
  const order = [...first.filter((key) => keys.includes(key)), ...rest];
  if (keys.includes("properties")) order.push("properties");
  return Object.fromEntries(order.map((key) => [key, schema[key]]));
}

const heading = "# Made by `make docs` from operator/src/api; a test compares the two.\n";

/** crds/kafkaproxies.yaml. YAML 1.1 is what Kubernetes reads: texts such as "off" are quoted. */
export function crdYaml(): string {
  const options = { version: "1.1", aliasDuplicateObjects: false, lineWidth: 110 } as const;
  return heading + stringify(customResourceDefinition(), options);
}

const column = (name: string, type: string, jsonPath: string, description: string) => ({
  name,
  type,
  jsonPath,
  description,
});

/** The CustomResourceDefinition as an object. */
export function customResourceDefinition(): Record<string, unknown> {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: ["kpx"],
        categories: ["all"],
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: {
            status: {},
            scale: {
              specReplicasPath: ".spec.replicas",
              statusReplicasPath: ".status.replicas",
              labelSelectorPath: ".status.selector",
            },
          },
          additionalPrinterColumns: [
            column("Topic", "string", ".spec.topic", "The topic whose messages are handed out."),
            column("Group", "string", ".spec.consumerGroup", "The consumer group of the proxies."),
            column(
              "Ready",
              "string",
              '.status.conditions[?(@.type=="Ready")].status',
              "Whether all proxies serve.",
            ),
            column("Replicas", "integer", ".status.replicas", "Proxy pods there are."),
            column("Lag", "integer", ".status.lag.messages", "Records that are not processed yet."),
            column("Dead", "integer", ".status.deadLetters.retained", "Dead letters."),
            column("Age", "date", ".metadata.creationTimestamp", "Since when it is there."),
          ],
          schema: { openAPIV3Schema: rootSchema() },
        },
      ],
    },
  };
}

function rootSchema(): StructuralSchema {
  return {
    description: `Proxies between a Kafka topic and any number of workers (${apiVersion}).`,
    type: "object",
    required: ["spec"],
    "x-kubernetes-validations": [
      {
        rule: `self.metadata.name.size() <= ${maxNameLength} && self.metadata.name.matches('${namePattern}')`,
        message: `must be ${nameAllowed}`,
        fieldPath: ".metadata.name",
      },
    ],
    properties: {
      apiVersion: { description: `${apiVersion}.`, type: "string" },
      kind: { description: `${kind}.`, type: "string" },
      metadata: { type: "object", properties: { name: { type: "string" } } },
      spec: structural(withWords(specSchema)),
      status: structural(withWords(statusSchema)),
    },
  };
}
