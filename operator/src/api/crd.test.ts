import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { crdYaml, customResourceDefinition } from "./crd.ts";
import { resourceReference } from "./reference.ts";

const root = join(import.meta.dirname, "../../..");

test("crds/kafkaproxies.yaml and docs/kafkaproxy.md are what the schema says (make docs writes them)", () => {
  assert.equal(readFileSync(join(root, "crds/kafkaproxies.yaml"), "utf8"), crdYaml());
  assert.equal(readFileSync(join(root, "docs/kafkaproxy.md"), "utf8"), resourceReference());
});

test("YAML 1.1, which Kubernetes reads, and 1.2 find the same in it", () => {
  for (const version of ["1.1", "1.2"] as const) {
    assert.deepEqual(parse(crdYaml(), { version }), customResourceDefinition());
  }
});

interface Structural {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Record<string, Structural>;
  readonly items?: Structural;
  readonly additionalProperties?: unknown;
  readonly [key: string]: unknown;
}

function* fieldsOf(schema: Structural, path: string): Generator<[string, Structural]> {
  for (const [key, inner] of Object.entries(schema.properties ?? {})) {
    yield [`${path}.${key}`, inner];
    yield* fieldsOf(inner, `${path}.${key}`);
  }
  if (schema.items !== undefined) yield* fieldsOf(schema.items, `${path}[]`);
}

const schema = ((): Structural => {
  const { spec } = customResourceDefinition() as {
    spec: { versions: [{ schema: { openAPIV3Schema: Structural } }] };
  };
  return spec.versions[0].schema.openAPIV3Schema;
})();

test("the schema is structural, and every field is described", () => {
  const known = new Set(
    `type format description default enum properties required items additionalProperties pattern
    minimum maximum minLength maxLength minItems maxItems maxProperties x-kubernetes-validations
    x-kubernetes-int-or-string x-kubernetes-preserve-unknown-fields x-kubernetes-list-type
    x-kubernetes-list-map-keys`.split(/\s+/u),
  );
  for (const [path, field] of fieldsOf(schema, "")) {
    // Kubernetes describes metadata itself, and lets nobody else.
    if (path.startsWith(".metadata")) continue;
    assert.ok((field.description ?? "").length > 4, `${path} has no description`);
    assert.match(field.description ?? "", /\.$/u, `${path}: ${field.description}`);
    assert.ok(
      field.type !== undefined || field["x-kubernetes-int-or-string"] === true,
      `${path} has no type`,
    );
    for (const key of Object.keys(field)) assert.ok(known.has(key), `${path} has ${key}`);
    if (field.properties !== undefined) assert.equal(field.additionalProperties, undefined, path);
  }
});

test("no field's name is a boolean in YAML 1.1", () => {
  for (const [path] of fieldsOf(schema, "")) {
    assert.doesNotMatch(path.split(".").at(-1) ?? "", /^(?:n|y|no|yes|on|off)$/iu);
  }
});
