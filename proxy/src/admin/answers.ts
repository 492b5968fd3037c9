/** Answers of the admin server as values; `admin.ts` writes them. */
import type { LetterAnswer } from "../deadletter/index.ts";
import { letterJson } from "./letter-json.ts";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function json(status: number, value: object, headers?: Record<string, string>): Answer {
  return {
    status,
    contentType: "application/json; charset=utf-8",
    body: `${JSON.stringify(value, undefined, 2)}\n`,
    ...(headers === undefined ? {} : { headers }),
  };
}

/** An error: a code for programs, words for people. */
export function problem(
  status: number,
  code: string,
  message: string,
  headers?: Record<string, string>,
): Answer {
  return json(status, { error: { code, message } }, headers);
}

/** One status for each kind, so that a script can tell them apart without reading. */
export const letterStatus: Readonly<Record<LetterAnswer["kind"], number>> = {
  found: 200,
  malformed: 400,
  unknown: 404,
  pruned: 410,
  // Misdirected: another group's proxies, or another topic's, can answer.
  "foreign-topic": 421,
  "foreign-group": 421,
  "not-yet-indexed": 425,
  unavailable: 503,
};

const askAgainAfterS = "2";

export function letterAnswer(answer: LetterAnswer): Answer {
  const status = letterStatus[answer.kind];
  if (answer.kind === "found") return json(status, letterJson(answer.letter, answer.place));
  const again = answer.kind === "not-yet-indexed" || answer.kind === "unavailable";
  return problem(
    status,
    answer.kind,
    answer.message,
    again ? { "retry-after": askAgainAfterS } : undefined,
  );
}
