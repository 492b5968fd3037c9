/** zod's issues in our words: the key, what was found there, what is allowed. */
import type { z } from "zod";
import type { ConfigProblem } from "./config-error.ts";
import { type Entry, entriesOf } from "./field.ts";
import { nearest } from "./nearest.ts";
import { settingsSchema } from "./schema.ts";

const entries = new Map(entriesOf(settingsSchema).map((entry) => [entry.path, entry]));

/** One problem a key, in the order of the schema. */
export function problemsOf(error: z.ZodError, settings: unknown): ConfigProblem[] {
  const problems = new Map<string, ConfigProblem>();
  for (const issue of error.issues) {
    const found =
      issue.code === "unrecognized_keys" ? unknownKeys(issue) : [wrong(issue, settings)];
    for (const problem of found) {
      if (!problems.has(problem.key)) problems.set(problem.key, problem);
    }
  }
  const order = [...entries.keys()];
  const rank = (problem: ConfigProblem): number => {
    const at = order.indexOf(problem.key);
    return at === -1 ? order.length : at;
  };
  return [...problems.values()].sort((one, other) => rank(one) - rank(other));
}

function unknownKeys(issue: z.core.$ZodIssueUnrecognizedKeys): ConfigProblem[] {
  const section = issue.path.join(".");
  const known = keysOf(section);
  return issue.keys.map((key) => {
    const close = nearestPath(key, section, known);
    const words = close === undefined ? "" : `${close}, which is the nearest; `;
    return {
      key: joined(section, key),
      found: "an unknown key",
      allowed: `${words}known here are ${known.join(", ")}`,
    };
  });
}

/** A key of this very name in another section, else a near one in the same section, else a near one anywhere. */
function nearestPath(key: string, section: string, known: readonly string[]): string | undefined {
  const byName = new Map([...entries.keys()].map((path) => [path.split(".").at(-1) ?? "", path]));
  const elsewhere = byName.get(key);
  if (elsewhere !== undefined) return elsewhere;
  const here = nearest(key, known);
  return here === undefined
    ? byName.get(nearest(key, [...byName.keys()]) ?? "")
    : joined(section, here);
}

function wrong(issue: z.core.$ZodIssue, settings: unknown): ConfigProblem {
  let value = settings;
  let key = "";
  let entry: Entry | undefined;
  for (const part of issue.path) {
    const at: Entry | undefined = entries.get(joined(key, String(part)));
    // What lies below a field is a part of its value.
    if (at === undefined) break;
    key = at.path;
    entry = at;
    value = (value as Record<PropertyKey, unknown> | undefined)?.[part];
  }
  if (entry?.kind === "field") {
    const secret = entry.words.secret && value !== undefined;
    const found = secret ? "a value that is not shown" : words(value);
    return { key, found, allowed: entry.words.allowed };
  }
  const kind = Array.isArray(value) ? "a list" : `a ${typeof value}`;
  return { key, found: kind, allowed: `a section with the keys ${keysOf(key).join(", ")}` };
}

/** Names of the keys right below a section. */
function keysOf(section: string): string[] {
  const depth = section === "" ? 1 : section.split(".").length + 1;
  return [...entries.keys()]
    .filter((path) => section === "" || path.startsWith(`${section}.`))
    .map((path) => path.split("."))
    .filter((path) => path.length === depth)
    .map((path) => path.at(-1) ?? "");
}

const joined = (section: string, key: string): string =>
  section === "" ? key : `${section}.${key}`;

const longestShown = 80;

function words(value: unknown): string {
  if (value === undefined) return "nothing";
  const json = JSON.stringify(value) ?? typeof value;
  return json.length > longestShown ? `${json.slice(0, longestShown)}...` : json;
}
