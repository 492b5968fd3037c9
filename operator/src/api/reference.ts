/** docs/kafkaproxy.md, made from the schema. */
import { type StructuralSchema, withWords } from "./crd.ts";
import { conditions } from "./conditions.ts";
import { advice, problemReasons } from "./problem.ts";
import { apiVersion } from "./resource.ts";
import { specSchema } from "./spec.ts";
import { statusSchema } from "./status.ts";

const opening = `# The KafkaProxy resource

<!-- Made by \`make docs\` from operator/src/api; a test compares the two. -->

\`${apiVersion}\`, short name \`kpx\`. A whole one can be as short as

\`\`\`yaml
apiVersion: ${apiVersion}
kind: KafkaProxy
metadata:
  name: orders
  namespace: shop
spec:
  topic: orders
  consumerGroup: billing
  replicas: 2
  kafka:
    bootstrapServers: [kafka-1:9092, kafka-2:9092]
  zookeeper:
    servers: [zk-1:2181, zk-2:2181]
\`\`\`

- A duration is written \`500ms\`, \`3s\`, \`1m30s\`; a size as a quantity, \`16Mi\` or \`16M\`, or as a number of bytes.
- Namespace, topic and consumer group name the proxies in ZooKeeper; the operator writes them into the ConfigMap
  \`<name>-client\`, which workers take with \`envFrom\`.
- \`topic\`, \`consumerGroup\` and \`zookeeper.root\` can't be changed later.
- A change of \`replicas\` restarts nothing; another change rolls the pods one by one, each drained.
- Passwords, certificates and tokens are in Secrets of the same namespace. A Secret that changes
  rolls the pods, be it in a label only.
- \`kafkaproxy up -f FILE\` takes the same file without Kubernetes: passwords then come from
  \`KAFKAPROXY_KAFKA_SASL_PASSWORD\` and \`KAFKAPROXY_ZOOKEEPER_PASSWORD\`.
`;

/** The whole page. */
export function resourceReference(): string {
  return [
    opening,
    ...page("spec", withWords(specSchema)),
    ...page("status", withWords(statusSchema)),
    ...conditionsPage(),
  ].join("\n");
}

function conditionsPage(): string[] {
  const lines = ["## Conditions\n"];
  for (const [type, { meaning, reasons }] of Object.entries(conditions)) {
    lines.push(`### ${type}\n`, `${meaning}\n`, "| reason | meaning |\n|---|---|");
    for (const [reason, words] of Object.entries(reasons))
      lines.push(`| \`${reason}\` | ${words} |`);
    if (type === "Degraded") {
      for (const reason of problemReasons)
        lines.push(`| \`${reason}\` | True. ${advice[reason]} |`);
    }
    lines.push("");
  }
  return lines;
}

interface Row {
  readonly path: string;
  readonly schema: StructuralSchema;
  readonly required: boolean;
}

function page(path: string, schema: StructuralSchema): string[] {
  const rows = rowsOf(path, schema);
  const sections = rows.filter((row) => isSection(row.schema));
  const lines = [`## ${path}\n`, `${schema.description ?? ""}\n`, ...table(rows, path)];
  for (const section of sections) {
    lines.push(`### ${section.path}\n`, `${section.schema.description ?? ""}\n`);
    lines.push(...table(rows, section.path));
  }
  return lines;
}

const isSection = (schema: StructuralSchema): boolean =>
  schema.properties !== undefined && Object.keys(schema.properties).length > 0;

function rowsOf(path: string, schema: StructuralSchema): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, inner]) => {
    const row = {
      path: `${path}.${key}`,
      schema: inner,
      required: (schema.required ?? []).includes(key),
    };
    return [row, ...rowsOf(row.path, inner)];
  });
}

function table(rows: readonly Row[], section: string): string[] {
  const fields = rows.filter(
    ({ path, schema }) => path.slice(0, path.lastIndexOf(".")) === section && !isSection(schema),
  );
  if (fields.length === 0) return [];
  const head = section.startsWith("spec")
    ? "| field | default | allowed | meaning |\n|---|---|---|---|"
    : "| field | meaning |\n|---|---|";
  return [head, ...fields.map((row) => line(row, section)), ""];
}

function line({ path, schema, required }: Row, section: string): string {
  const meaning = cell(schema.description ?? "");
  if (!section.startsWith("spec")) return `| \`${path}\` | ${meaning} |`;
  const absent = required ? "**required**" : "none";
  const otherwise =
    schema.default === undefined
      ? absent
      : cell(JSON.stringify(schema.default).replaceAll(/^"|"$/gu, ""));
  return `| \`${path}\` | ${otherwise} | ${cell(schema.allowed ?? schema.type ?? "")} | ${meaning} |`;
}

const cell = (text: string): string =>
  text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
