/** Thrown below `decodeBatches`, which knows the batch's offset and makes a KafkaError of it. */
export class BatchFault extends Error {
  readonly kind: "broken" | "too-large" | "unsupported";

  constructor(kind: "broken" | "too-large" | "unsupported", message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}
