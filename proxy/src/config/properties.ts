/** The original system's `.properties` file: eight names, with the prefix `server.` or without. */
import type { ConfigProblem } from "./config-error.ts";
import { nearest } from "./nearest.ts";
import type { SourceDocument } from "./source-document.ts";

/** Old name without its prefix, to the key of today. */
export const propertyKeys: Readonly<Record<string, string>> = {
  "kafka.server.list": "kafka.bootstrapServers",
  "group.id": "consumerGroup",
  topic: "topic",
  "zookeeper.server.list": "zookeeper.servers",
  "queue.size": "queue.size",
  port: "listener.port",
  "commit.offset.interval": "commit.interval",
  "commit.offset.batch.size": "commit.batchSize",
};

const prefix = "server.";

/** Reads a `.properties` file into the shape of a YAML one. */
export function readProperties(text: string): SourceDocument {
  const settings: Record<string, unknown> = {
    // The original listened on every address; its file has no name to say otherwise.
    listener: { host: "0.0.0.0" },
  };
  const origins = new Map<string, { readonly name: string; readonly line: number }>();
  const problems: ConfigProblem[] = [];
  for (const { name, value, line } of entries(text)) {
    const bare = name.startsWith(prefix) ? name.slice(prefix.length) : name;
    const key = Object.hasOwn(propertyKeys, bare) ? propertyKeys[bare] : undefined;
    const before = key === undefined ? undefined : origins.get(key);
    if (key === undefined) {
      problems.push({ key: name, found: "an unknown name", allowed: allowedNames(bare), line });
    } else if (before !== undefined) {
      const found = `it after ${before.name} in line ${before.line}`;
      problems.push({ key: name, found, allowed: "each name once", line });
    } else {
      origins.set(key, { name, line });
      put(settings, key.split("."), value);
    }
  }
  return { settings, problems, origin: (key) => origins.get(key) };
}

function allowedNames(bare: string): string {
  const names = Object.keys(propertyKeys);
  const close = nearest(bare, names);
  const all = names.map((name) => prefix + name).join(", ");
  return close === undefined ? all : `${prefix}${close} is the nearest; known are ${all}`;
}

function put(settings: Record<string, unknown>, path: readonly string[], value: string): void {
  const [key = "", ...rest] = path;
  if (rest.length === 0) {
    settings[key] = value;
    return;
  }
  const inner = (settings[key] ?? {}) as Record<string, unknown>;
  settings[key] = inner;
  put(inner, rest, value);
}

interface Entry {
  readonly name: string;
  readonly value: string;
  readonly line: number;
}

/** The format of `java.util.Properties`: comments, continued lines, `=`, `:` or blanks between, escapes. */
function* entries(text: string): Generator<Entry> {
  const lines = text.replace(/^\uFEFF/u, "").split(/\r\n|\r|\n/u);
  for (let at = 0; at < lines.length; at++) {
    let logical = (lines[at] ?? "").trimStart();
    if (logical === "" || logical.startsWith("#") || logical.startsWith("!")) continue;
    const line = at + 1;
    while (/(?:^|[^\\])(?:\\\\)*\\$/u.test(logical) && at + 1 < lines.length) {
      at++;
      logical = logical.slice(0, -1) + (lines[at] ?? "").trimStart();
    }
    const match = /^((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)$/su.exec(logical);
    yield { name: unescape(match?.[1] ?? ""), value: unescape(match?.[2] ?? "").trim(), line };
  }
}

const escapes: Readonly<Record<string, string>> = { t: "\t", n: "\n", r: "\r", f: "\f" };

function unescape(text: string): string {
  return text.replace(/\\(?:u([0-9a-fA-F]{4})|(.)|$)/gsu, (_, code?: string, char?: string) =>
    code === undefined
      ? (escapes[char ?? ""] ?? char ?? "")
      : String.fromCharCode(Number.parseInt(code, 16)),
  );
}
