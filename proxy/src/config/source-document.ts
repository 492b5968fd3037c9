import type { ConfigProblem } from "./config-error.ts";

/** A configuration file once read: the settings as written, and where in the file each stands. */
export interface SourceDocument {
  readonly settings: unknown;
  /** What is wrong with the file's names; the settings are without it. */
  readonly problems: readonly ConfigProblem[];
  /** The name under which a key stands in the file when it is another, and its line, when known. */
  origin(key: string): { readonly name?: string; readonly line?: number } | undefined;
}
