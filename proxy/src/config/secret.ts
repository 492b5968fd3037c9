import { readFile } from "node:fs/promises";
import { inspect } from "node:util";

const hidden = "[secret]";

/** A text that no log, error or status shows: printing, formatting and JSON give "[secret]". */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself, for the one place that sends it. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }

  [inspect.custom](): string {
    return hidden;
  }
}

/** Where a password comes from. */
export type SecretSource = { readonly value: Secret } | { readonly file: string };

/**
 * The password itself; a file is read anew at every call, without its last line break.
 * @throws the file system's error when the file can't be read.
 */
export async function readSecret(source: SecretSource): Promise<string> {
  if ("value" in source) return source.value.reveal();
  return (await readFile(source.file, "utf8")).replace(/\r?\n$/u, "");
}
