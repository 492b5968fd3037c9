/** Above it the peer is no ZooKeeper, or its listing is one that no client should ask for. */
const maxFrameBytes = 64 << 20;

/** Cuts what a socket delivers into whole frames, 4-byte length included. */
export class FrameSplitter {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #needed = 4;

  /** The frames that are complete with this chunk. Throws when a length can't be one. */
  *push(chunk: Buffer): Generator<Buffer, void, void> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < this.#needed) return;
    const all = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#bytes);
    let start = 0;
    this.#needed = 4;
    while (all.length - start >= 4) {
      const length = all.readInt32BE(start);
      if (length < 0 || length > maxFrameBytes) {
        throw new RangeError(`a frame of ${length} bytes, allowed are 0 to ${maxFrameBytes}`);
      }
      if (all.length - start < 4 + length) {
        this.#needed = 4 + length;
        break;
      }
      yield all.subarray(start, (start += 4 + length));
    }
    const rest = all.subarray(start);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
  }

  /** Forgets a frame that was cut: what comes next is another connection's. */
  reset(): void {
    this.#chunks = [];
    this.#bytes = 0;
    this.#needed = 4;
  }
}
