// kubeconform with schemas of a real API server: those that it would fetch are out of reach.
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { program } from "../servers/kubernetes/index.ts";

type Schema = Readonly<Record<string, unknown>>;

interface Definition extends Schema {
  readonly properties?: Schema;
  readonly "x-kubernetes-group-version-kind"?: readonly {
    readonly group: string;
    readonly version: string;
    readonly kind: string;
  }[];
}

/** Said as strings in OpenAPI 2, which knows no unions. */
const unions: Readonly<Record<string, Schema>> = {
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": { type: ["integer", "string"] },
  "io.k8s.apimachinery.pkg.api.resource.Quantity": { type: ["number", "string"] },
};

/** Writes one schema a kind out of the server's `/openapi/v2`; a field that it does not know is refused. */
export function writeSchemas(openapi: string, folder: string): void {
  const { definitions } = JSON.parse(openapi) as { definitions: Record<string, Definition> };
  for (const [name, definition] of Object.entries(definitions)) {
    for (const { group, version, kind } of definition["x-kubernetes-group-version-kind"] ?? []) {
      const used: Record<string, Schema> = {};
      collect(name, definitions, used);
      const schema = { $ref: reference(name), definitions: used };
      writeFileSync(join(folder, fileOf(group, version, kind)), JSON.stringify(schema));
    }
  }
}

const reference = (name: string): string => `#/definitions/${name}`;

/** As kubeconform asks for it, see `location`. */
function fileOf(group: string, version: string, kind: string): string {
  const [short] = group.split(".");
  const suffix = short === undefined || short === "" ? version : `${short}-${version}`;
  return `${kind}-${suffix}.json`.toLowerCase();
}

const location = "{{.ResourceKind}}{{.KindSuffix}}.json";

/** `name` and everything that it refers to. */
function collect(
  name: string,
  definitions: Readonly<Record<string, Definition>>,
  used: Record<string, Schema>,
): void {
  const definition = definitions[name];
  if (definition === undefined || used[name] !== undefined) return;
  used[name] =
    unions[name] ??
    (definition.properties === undefined
      ? definition
      : { ...definition, additionalProperties: false });
  const text = JSON.stringify(definition);
  for (const [, other = ""] of text.matchAll(/"\$ref":"#\/definitions\/([^"]+)"/gu)) {
    collect(other, definitions, used);
  }
}

/** What it has to say against the objects of a file; nothing is well. */
export async function kubeconform(file: string, schemas: string): Promise<readonly string[]> {
  const path = await program("kubeconform");
  const args = ["-strict", "-output=json", `-schema-location=${join(schemas, location)}`, file];
  const output = await new Promise<string>((resolve) => {
    execFile(path, args, (_error, stdout, stderr) => resolve(stdout === "" ? stderr : stdout));
  });
  const { resources } = JSON.parse(output) as {
    resources: readonly { kind: string; name: string; msg: string }[];
  };
  return resources.map(({ kind, name, msg }) => `${kind} ${name}: ${msg}`);
}
