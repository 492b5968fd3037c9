import type { Writable } from "node:stream";
import { encodeFrame, type Frame } from "@kafkaproxy/wire";
import type { OutboundBudget } from "./outbound-budget.ts";

/** Handed to the system at a time: what of a frame is written shows in steps of this, as progress and as room. */
const batchBytes = 256 * 1024;

export interface FrameWriterOptions {
  readonly socket: Writable;
  readonly budget: OutboundBudget;
  /** Monotonic ms. */
  readonly now: () => number;
  /** Something waits to be written: call flush() soon. */
  readonly dirty: () => void;
  /** A batch has gone out. */
  readonly progress: () => void;
}

interface Chunk {
  readonly bytes: Uint8Array;
  /** Of a frame without records. */
  readonly control: boolean;
}

/**
 * The frames of one connection on their way out. What is sent in one turn of the event loop is written together
 * (one writev), records' bytes uncopied.
 */
export class FrameWriter {
  readonly #options: FrameWriterOptions;
  #queue: Chunk[] = [];
  #head = 0;
  /** Bytes that the system has not taken yet. */
  #pendingBytes = 0;
  #pendingControlBytes = 0;
  #writing = false;
  #closed = false;
  #lastProgressAt = 0;
  #onDrained: (() => void) | undefined;

  constructor(options: FrameWriterOptions) {
    this.#options = options;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Of these, what answers and tells; a client makes them by what it sends. */
  get pendingControlBytes(): number {
    return this.#pendingControlBytes;
  }

  /** For how long bytes have waited and none has gone, in ms. */
  stalledMs(now: number): number {
    return this.#pendingBytes === 0 ? 0 : now - this.#lastProgressAt;
  }

  /** @throws WireError when the frame can't be encoded; nothing of it is sent then. */
  send(frame: Frame): void {
    if (this.#closed) return;
    const control = frame.type !== "deliver" || frame.records.length === 0;
    this.#push(encodeFrame(frame), control);
  }

  /** Bytes of another protocol, for somebody who speaks that. */
  sendRaw(bytes: Uint8Array): void {
    if (!this.#closed) this.#push([bytes], true);
  }

  #push(chunks: readonly Uint8Array[], control: boolean): void {
    if (this.#pendingBytes === 0) this.#lastProgressAt = this.#options.now();
    let bytes = 0;
    for (const chunk of chunks) {
      this.#queue.push({ bytes: chunk, control });
      bytes += chunk.byteLength;
    }
    this.#pendingBytes += bytes;
    if (control) this.#pendingControlBytes += bytes;
    this.#options.budget.add(bytes);
    if (!this.#writing) this.#options.dirty();
  }

  /** Writes what waits, up to a batch; goes on by itself. */
  flush(): void {
    if (this.#writing || this.#closed || this.#head === this.#queue.length) return;
    const { socket } = this.#options;
    let bytes = 0;
    let controlBytes = 0;
    const batch: Uint8Array[] = [];
    while (bytes < batchBytes && this.#head < this.#queue.length) {
      const chunk = this.#queue[this.#head];
      if (chunk === undefined) break;
      const room = batchBytes - bytes;
      let part = chunk.bytes;
      if (part.byteLength <= room) this.#head++;
      else {
        part = chunk.bytes.subarray(0, room);
        this.#queue[this.#head] = { bytes: chunk.bytes.subarray(room), control: chunk.control };
      }
      bytes += part.byteLength;
      if (chunk.control) controlBytes += part.byteLength;
      batch.push(part);
    }
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else if (this.#head > 1_024) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#writing = true;
    socket.cork();
    const last = batch.pop();
    for (const part of batch) socket.write(part);
    socket.write(last, () => {
      this.#written(bytes, controlBytes);
    });
    socket.uncork();
  }

  #written(bytes: number, controlBytes: number): void {
    this.#writing = false;
    if (this.#closed) return;
    this.#pendingBytes -= bytes;
    this.#pendingControlBytes -= controlBytes;
    this.#options.budget.remove(bytes);
    this.#lastProgressAt = this.#options.now();
    this.flush();
    this.#options.progress();
    if (this.#pendingBytes === 0) this.#onDrained?.();
  }

  /** Calls `then` when nothing waits any more; never, when the connection ends before. */
  whenDrained(then: () => void): void {
    if (this.#pendingBytes === 0) then();
    else this.#onDrained = then;
  }

  /** The connection is gone, and with it what waited. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.budget.remove(this.#pendingBytes);
    this.#pendingBytes = 0;
    this.#pendingControlBytes = 0;
    this.#queue = [];
    this.#head = 0;
  }
}
