import { KafkaError } from "../errors.ts";

/** Before each answer stands its length, which does not count itself. */
const lengthBytes = 4;

/** Answers begin here; most of those that are no records end here too. */
const headBytes = 4 * 1024;

/** Memory for several answers is a multiple of this, so that one a little larger than the last has room. */
const reusedStepBytes = 256 * 1024;

export interface AnswerReaderOptions {
  /** An answer is complete: its length, and what that counts. */
  readonly answered: (answer: Buffer) => void;
  /**
   * Large answers have one memory, one after the other: for who is done with an answer before the next one can come.
   * A small one gives the memory back, as when there was nothing more to be fetched.
   */
  readonly reusesMemory?: boolean;
}

/**
 * Makes answers of what a broker sends. The socket reads right into the memory of a large answer: as chunks of 64 KiB
 * that are put together afterwards, a record's bytes would be made garbage twice.
 */
export class AnswerReader {
  readonly #answered: (answer: Buffer) => void;
  readonly #reusesMemory: boolean;
  readonly #head = Buffer.allocUnsafeSlow(headBytes);
  #headUsed = 0;
  /** The answer that is coming in, when it has no room in the head. */
  #large: Buffer | undefined;
  #largeUsed = 0;
  #reused: Buffer | undefined;

  constructor({ answered, reusesMemory = false }: AnswerReaderOptions) {
    this.#answered = answered;
    this.#reusesMemory = reusesMemory;
  }

  /** Where the next bytes go; there is always room for some. */
  room(): Buffer {
    return this.#large === undefined
      ? this.#head.subarray(this.#headUsed)
      : this.#large.subarray(this.#largeUsed);
  }

  /** So many bytes have been put into `room()`. Throws when that can't be an answer. */
  received(bytes: number): void {
    if (this.#large === undefined) {
      this.#headUsed += bytes;
      this.#readHead();
      return;
    }
    this.#largeUsed += bytes;
    if (this.#largeUsed < this.#large.length) return;
    const answer = this.#large;
    this.#large = undefined;
    this.#answered(answer);
  }

  #readHead(): void {
    const head = this.#head;
    const used = this.#headUsed;
    let at = 0;
    while (used - at >= lengthBytes) {
      const size = lengthBytes + head.readInt32BE(at);
      if (size < lengthBytes) {
        throw new KafkaError("unreachable", `an answer of ${size - lengthBytes} bytes`);
      }
      if (size > headBytes) {
        this.#large = this.#memory(size);
        this.#largeUsed = head.copy(this.#large, 0, at, used);
        this.#headUsed = 0;
        return;
      }
      const end = at + size;
      if (end > used) break;
      this.#reused = undefined;
      this.#answered(Buffer.from(head.subarray(at, end)));
      at = end;
    }
    // What has begun has room for its end when it stands in front.
    this.#headUsed = head.copy(head, 0, at, used);
  }

  #memory(size: number): Buffer {
    if (!this.#reusesMemory) return Buffer.allocUnsafeSlow(size);
    if (this.#reused === undefined || this.#reused.length < size) {
      this.#reused = Buffer.allocUnsafeSlow(Math.ceil(size / reusedStepBytes) * reusedStepBytes);
    }
    return this.#reused.subarray(0, size);
  }
}
