import { styleText } from "node:util";

type Style = "bold" | "dim" | "red" | "green" | "yellow";

/** Where a command writes: words for people, or JSON for machines with `--json`. */
export interface Output {
  readonly json: boolean;
  /** The command's result: `value` as JSON, or `text` for people. */
  result(value: unknown, text: string): void;
  /** Progress and remarks; goes to standard error so that results can be piped. */
  note(text: string): void;
  /** For a result: colours on a terminal, the text itself elsewhere. */
  paint(style: Style, text: string): string;
  /** The same for a note: standard error may be a file while standard output is a terminal. */
  paintNote(style: Style, text: string): string;
}

export type OutputStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

export interface OutputStreams {
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
}

/** @param environment NO_COLOR, set to anything, switches colours off. */
export function createOutput(
  streams: OutputStreams,
  json: boolean,
  environment: NodeJS.ProcessEnv,
): Output {
  const wanted = !json && environment["NO_COLOR"] === undefined;
  const painter =
    ({ isTTY }: OutputStream) =>
    (style: Style, text: string): string =>
      wanted && isTTY === true ? styleText(style, text, { validateStream: false }) : text;
  return {
    json,
    result(value, text) {
      streams.stdout.write(`${json ? JSON.stringify(value) : text}\n`);
    },
    note(text) {
      streams.stderr.write(`${text}\n`);
    },
    paint: painter(streams.stdout),
    paintNote: painter(streams.stderr),
  };
}

/**
 * A text that others wrote, safe to show: control characters but tab and line feed are written as \\u001b.
 * A message could otherwise move the cursor, or give its reader's terminal orders.
 */
export function printable(text: string): string {
  return text.replace(
    // oxlint-disable-next-line no-control-regex -- control characters are what this is about
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
