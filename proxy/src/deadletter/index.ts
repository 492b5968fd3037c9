export { DeadLetters, type DeadLettersOptions, type DeadLettersStatus } from "./dead-letters.ts";
export {
  findLetter,
  type FindLetterOptions,
  type LetterAnswer,
  type LetterAnswerKind,
  letterAnswerKinds,
  type LetterPlace,
  refuseMsgId,
} from "./find-letter.ts";
export { letterHeaders } from "./letter.ts";
export { type DeadLetter, readLetter } from "./read-letter.ts";
export type { WrittenLetter } from "./writer.ts";
