/** docs/configuration.md, made from the schema. */
import { entriesOf } from "./field.ts";
import { propertyKeys } from "./properties.ts";
import { environmentPlace, environmentSecrets, settingsSchema } from "./schema.ts";

const opening = `# Configuration

<!-- Made by \`make docs\` from proxy/src/config/schema.ts; a test compares the two. -->

\`kafkaproxy serve --config FILE\` reads one YAML file. A whole file can be as short as

\`\`\`yaml
topic: orders
consumerGroup: billing
kafka: { bootstrapServers: "kafka-1:9092,kafka-2:9092" }
zookeeper: { servers: "zk-1:2181,zk-2:2181" }
\`\`\`

- A duration is written \`500ms\`, \`3s\`, \`1m30s\` or \`1h\`; a plain number is milliseconds.
- A size is written \`16MiB\` or \`16Mi\` (1024), \`16MB\` or \`16M\` (1000); a plain number is bytes.
- Where addresses are expected, a list or one text with commas between them is taken.
- Paths of files begin at the folder of the configuration file unless they are absolute.
- A key without a value counts as not given. An unknown key is an error that names the nearest one.
- All errors are printed at once, each with the key, what was found and what is allowed; the exit code is 2 and nothing is started.
`;

const closing = (): string => `## Environment

Of the keys, secrets only; they go before the file.

| variable | key |
|---|---|
${Object.entries(environmentSecrets)
  .map(([variable, key]) => `| \`${variable}\` | \`${key}\` |`)
  .join("\n")}

And where the proxy runs, which is told to whoever looks it up in ZooKeeper; on Kubernetes both come from the downward API.

| variable | meaning |
|---|---|
${Object.entries(environmentPlace)
  .map(([variable, meaning]) => `| \`${variable}\` | ${meaning} |`)
  .join("\n")}

No secret is printed: not in the log, in errors or in /status.

## The original's \`.properties\` file

A file whose name ends in \`.properties\` is read in the original system's format. Each name is taken with its prefix as below, and without.

| name | key here |
|---|---|
${Object.entries(propertyKeys)
  .map(([name, key]) => `| \`server.${name}\` | \`${key}\` |`)
  .join("\n")}

Lists have commas; \`server.commit.offset.interval\` is in milliseconds. All else has its default, but for \`listener.host\`, which is 0.0.0.0 as it always was: the port is open to the network without a token, and the log says so.
`;

/** The whole page. */
export function configurationReference(): string {
  const parts: string[] = [opening, "## Top level\n", tableHead];
  const lines: string[] = [];
  // Fields of the top level stand between sections in the schema, and in one table on the page.
  const entries = entriesOf(settingsSchema);
  const top = entries.filter(({ path }) => !path.includes("."));
  lines.push(...top.flatMap((entry) => (entry.kind === "field" ? [row(entry)] : [])), "");
  for (const entry of entries) {
    if (entry.kind === "section") {
      const fields = entries.filter(
        (other) => other.kind === "field" && sectionOf(other.path) === entry.path,
      );
      lines.push(`## ${entry.path}\n`, `${entry.description}\n`);
      if (fields.length > 0) {
        lines.push(
          tableHead,
          ...fields.flatMap((field) => (field.kind === "field" ? [row(field)] : [])),
          "",
        );
      }
    }
  }
  return [...parts, ...lines, closing()].join("\n");
}

const tableHead = "| key | default | allowed | meaning |\n|---|---|---|---|";

const sectionOf = (path: string): string => path.split(".").slice(0, -1).join(".");

type Field = Extract<ReturnType<typeof entriesOf>[number], { kind: "field" }>;

function row({ path, words }: Field): string {
  const otherwise =
    words.default === undefined ? "**required**" : words.default === "" ? "none" : words.default;
  return `| \`${path}\` | ${cell(otherwise)} | ${cell(words.allowed)} | ${cell(words.description)} |`;
}

const cell = (text: string): string =>
  text.replaceAll("|", "\\|").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
