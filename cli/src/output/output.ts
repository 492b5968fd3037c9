import { styleText } from "node:util";

type Style = "bold" | "dim" | "red" | "green" | "yellow";

/** Where a command writes: words for people, or JSON for machines with `--json`. */
export interface Output {
  readonly json: boolean;
  /** The command's result: `value` as JSON, or `text` for people. */
  result(value: unknown, text: string): void;
  /** Progress and remarks; goes to standard error so that results can be piped. */
  note(text: string): void;
  /** Colours on a terminal, the text itself elsewhere. */
  paint(style: Style, text: string): string;
}

export interface OutputStreams {
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream;
}

/** @param environment NO_COLOR, set to anything, switches colours off. */
export function createOutput(
  streams: OutputStreams,
  json: boolean,
  environment: NodeJS.ProcessEnv,
): Output {
  const colours = streams.stdout.isTTY === true && !json && environment["NO_COLOR"] === undefined;
  return {
    json,
    result(value, text) {
      streams.stdout.write(`${json ? JSON.stringify(value) : text}\n`);
    },
    note(text) {
      streams.stderr.write(`${text}\n`);
    },
    paint(style, text) {
      return colours ? styleText(style, text, { validateStream: false }) : text;
    },
  };
}
