import { KafkaError } from "../errors.ts";

/** Offsets are plain numbers here; one above 2^53 - 1 is refused, not rounded. */
export function safeOffset(value: bigint | string): number {
  const offset = Number(value);
  if (!Number.isSafeInteger(offset)) {
    throw new KafkaError("unsupported", `offset ${value} is above 2^53 - 1`);
  }
  return offset;
}
