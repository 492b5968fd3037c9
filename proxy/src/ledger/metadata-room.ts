/** Default of Kafka's `offset.metadata.max.bytes`. */
export const maxMetadataChars = 4096;

/** Holds the count of the record at the watermark, whatever else there is: with less its redelivery could wait for ever. */
export const leastMetadataChars = 32;

/**
 * How many characters of metadata a commit may have. A broker does not tell its `offset.metadata.max.bytes`: it is
 * found by what it refuses.
 */
export class MetadataRoom {
  #chars: number;

  constructor(chars: number) {
    this.#chars = chars;
  }

  get chars(): number {
    return this.#chars;
  }

  /** By halves until metadata as long as what was `refused` is no longer made; false when it can't be shorter. */
  shrinkBelow(refused: number): boolean {
    if (refused <= leastMetadataChars) return false;
    while (this.#chars >= refused) {
      this.#chars = Math.max(leastMetadataChars, Math.floor(this.#chars / 2));
    }
    return true;
  }
}
