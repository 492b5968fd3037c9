/**
 * Bytes that wait to be written, over all connections together: the number that `listener.maxOutboundBytes` bounds.
 *
 * How a slow reader is kept from slowing others, and the total hard:
 *
 * - Room for one frame of the largest size is set aside, and an eighth of the rest for frames without records. What
 *   is left is shared equally. A connection is given records while at most a quarter of its share waits, and a pull
 *   brings at most three quarters: so who stops reading fills its own share and nobody else's. (Only records of
 *   more than that, or hundreds of readers that stop at the same time, reach into what is set aside.)
 * - And only while the whole has room for one more frame of the largest size. Dispatch asks before each frame, so
 *   deliveries never go over the total.
 * - Frames without records are small and never held back. If they fill their part too, the connection that waits
 *   with the most bytes is closed.
 * - A connection that takes nothing for a while is closed as too slow: after one ackTimeout when others wait for
 *   room, later when nobody does. Its leases run on without it.
 */
export class OutboundBudget {
  readonly maxBytes: number;
  readonly #maxFrameBytes: number;
  readonly #deliverableBytes: number;
  #usedBytes = 0;

  /** `maxBytes` is at least twice `maxFrameBytes`, or few frames can wait at a time. */
  constructor(options: { readonly maxBytes: number; readonly maxFrameBytes: number }) {
    this.maxBytes = options.maxBytes;
    this.#maxFrameBytes = options.maxFrameBytes;
    const spare = Math.max(0, options.maxBytes - options.maxFrameBytes);
    this.#deliverableBytes = options.maxBytes - Math.floor(spare / 8);
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** More waits than is allowed: somebody has to go. */
  get isOver(): boolean {
    return this.#usedBytes > this.maxBytes;
  }

  /** One more frame of the largest size fits; always true when nothing waits. */
  get hasRoom(): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + this.#maxFrameBytes <= this.#deliverableBytes;
  }

  /** A connection with more than this waiting is given no more records, when `connections` share the total. */
  ownBytes(connections: number): number {
    return Math.min(mostOwnBytes, Math.floor(this.#shareBytes(connections) / 4));
  }

  /** What a pull may bring; one record comes whatever its size. */
  pullBytes(connections: number): number {
    return this.#shareBytes(connections) - this.ownBytes(connections);
  }

  #shareBytes(connections: number): number {
    const shared = this.#deliverableBytes - this.#maxFrameBytes;
    return Math.max(smallestShareBytes, Math.floor(shared / Math.max(1, connections)));
  }

  add(bytes: number): void {
    this.#usedBytes += bytes;
  }

  remove(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** Ten messages of 10 KB: below that, batches would shrink more than memory is worth. */
const smallestShareBytes = 128 * 1024;

/** More waiting makes nothing faster: a batch of the writer is as large. */
const mostOwnBytes = 256 * 1024;
