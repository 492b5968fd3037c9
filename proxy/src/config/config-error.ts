/** Why a configuration was refused. */
export const configErrorCodes = ["unreadable", "invalid"] as const;
export type ConfigErrorCode = (typeof configErrorCodes)[number];

/** One thing to put right. */
export interface ConfigProblem {
  /** The key as written in the file, "" where it is about the file as a whole. */
  readonly key: string;
  /** What stands there, in words; a secret is never shown. */
  readonly found: string;
  /** What may stand there. */
  readonly allowed: string;
  /** Line in the file, from 1, where that is known. */
  readonly line?: number;
}

/** A configuration that can't be used, with all that is wrong in it. */
export class ConfigError extends Error {
  readonly code: ConfigErrorCode;
  readonly problems: readonly ConfigProblem[];

  constructor(
    code: ConfigErrorCode,
    file: string,
    problems: readonly ConfigProblem[],
    options?: ErrorOptions,
  ) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    super([`${file}: ${count}; nothing was started`, ...problems.map(words)].join("\n  "), options);
    this.name = "ConfigError";
    this.code = code;
    this.problems = problems;
  }
}

function words({ key, found, allowed, line }: ConfigProblem): string {
  const where = line === undefined ? "" : `line ${line}: `;
  const what = key === "" ? "" : `${key}: `;
  return `${where}${what}found ${found}; allowed: ${allowed}`;
}
