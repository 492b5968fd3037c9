import type { DeadLetter, LetterPlace } from "../deadletter/index.ts";

/** Bytes as JSON: as text where they are UTF-8, in base64 otherwise. */
export type BytesJson = null | { readonly text: string } | { readonly base64: string };

export function bytesJson(bytes: Uint8Array | null): BytesJson {
  if (bytes === null) return null;
  try {
    // A byte order mark is a part of the value.
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    // Not UTF-8.
    return { base64: Buffer.from(bytes).toString("base64") };
  }
}

/** A dead letter as GET /dead-letters/{msgId} shows it; `deadLetter` is where it lies. */
export function letterJson(letter: DeadLetter, place: LetterPlace): object {
  return {
    ...letter,
    timestamp: letter.timestamp < 0 ? null : new Date(letter.timestamp).toISOString(),
    key: bytesJson(letter.key),
    value: bytesJson(letter.value),
    headers: letter.headers.map(({ name, value }) => ({ name, value: bytesJson(value) })),
    deadLetter: place,
  };
}
