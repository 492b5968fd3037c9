import { isCollection, isNode, LineCounter, parseDocument } from "yaml";
import { ConfigError } from "./config-error.ts";
import type { SourceDocument } from "./source-document.ts";

/** Reads a YAML file. @throws ConfigError when it is none. */
export function readYaml(text: string, file: string): SourceDocument {
  const lineCounter = new LineCounter();
  // Pretty errors quote the source, and a password may stand in it.
  const document = parseDocument(text, { lineCounter, prettyErrors: false });
  const lineOf = (offset: number): number => lineCounter.linePos(offset).line;
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      key: "",
      found: `what is not YAML (${error.code.toLowerCase().replaceAll("_", " ")})`,
      allowed: "one YAML document",
      line: lineOf(error.pos[0]),
    }));
    throw new ConfigError("invalid", file, problems);
  }
  let settings: unknown;
  try {
    settings = document.toJS() ?? {};
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : "what can't be read";
    const problem = { key: "", found, allowed: "one YAML document" };
    throw new ConfigError("invalid", file, [problem], { cause });
  }
  return {
    settings,
    problems: [],
    origin: (key) => {
      const path = key.split(".");
      for (let length = path.length; length > 0; length--) {
        const range = rangeOf(document.getIn(path.slice(0, length), true));
        if (range !== undefined) return { line: lineOf(range) };
      }
      return undefined;
    },
  };
}

function rangeOf(node: unknown): number | undefined {
  if (!isNode(node) || (isCollection(node) && node.items.length === 0)) return undefined;
  return node.range?.[0];
}
