/** A client of bare frames, for tests of the listener. */
import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { createFrameDecoder, encodeFrame, type Frame, type Hello } from "@kafkaproxy/wire";

export const hello: Hello = {
  type: "hello",
  minProtocol: 1,
  maxProtocol: 1,
  features: [],
  sessionId: "",
  token: "",
  namespace: "default",
  topic: "orders",
  consumerGroup: "billing",
  mode: "pull",
  clientName: "worker",
};

type FrameOf<T extends Frame["type"]> = Extract<Frame, { type: T }>;

export class RawClient {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  readonly text: Buffer[] = [];
  closed = false;
  readonly #decoder = createFrameDecoder();
  readonly #waiting = new Set<() => void>();

  constructor(port: number, tls?: ConnectionOptions) {
    this.socket = tls
      ? connectTls({ port, host: "127.0.0.1", ...tls })
      : connect({ port, host: "127.0.0.1" });
    this.socket.on("data", (chunk) => {
      this.text.push(chunk);
      try {
        this.frames.push(...this.#decoder.push(chunk));
      } catch {
        // A test that wants text and not frames reads `text`.
      }
      this.#changed();
    });
    this.socket.setNoDelay(true);
    // A reset is a close here.
    this.socket.on("error", () => undefined);
    this.socket.on("close", () => {
      this.closed = true;
      this.#changed();
    });
  }

  send(...frames: Frame[]): void {
    for (const frame of frames) {
      for (const chunk of encodeFrame(frame)) this.socket.write(chunk);
    }
  }

  /** Hello, and the welcome. */
  async open(changes: Partial<Hello> = {}): Promise<FrameOf<"welcome">> {
    this.send({ ...hello, ...changes });
    return await this.next("welcome");
  }

  /** Takes the first frame of a type, as soon as it is there. */
  async next<T extends Frame["type"]>(type: T): Promise<FrameOf<T>> {
    await this.until(() => this.frames.some((frame) => frame.type === type), `a ${type} frame`);
    const at = this.frames.findIndex((frame) => frame.type === type);
    return this.frames.splice(at, 1)[0] as FrameOf<T>;
  }

  async ended(): Promise<void> {
    await this.until(() => this.closed, "the end of the connection");
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (!holds()) {
      if (Date.now() > deadline) {
        const seen = this.frames.map((frame) => JSON.stringify(frame)).join("\n");
        throw new Error(`${what} did not come; there is\n${seen}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, 200);
        const waiting = this.#waiting;
        function done(): void {
          clearTimeout(timer);
          waiting.delete(done);
          resolve();
        }
        waiting.add(done);
      });
    }
  }

  #changed(): void {
    for (const done of this.#waiting) done();
  }
}
