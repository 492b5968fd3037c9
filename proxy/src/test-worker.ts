// A worker that speaks frames over a real socket, without the client library: for tests only.
import { connect, type Socket } from "node:net";
import {
  createFrameDecoder,
  type Deliver,
  type Delivery,
  encodeFrame,
  type Frame,
  type Hello,
  protocolVersion,
} from "@kafkaproxy/wire";

export interface TestWorkerOptions {
  readonly topic: string;
  readonly consumerGroup: string;
  readonly name?: string;
  /** What to do with a delivery; "ack" by default, "hold" does nothing. */
  readonly handle?: (delivery: Delivery) => "ack" | "hold" | "reject" | Promise<"ack" | "hold">;
}

export class TestWorker {
  readonly delivered: Delivery[] = [];
  readonly settled = new Set<string>();
  readonly frames: Frame[] = [];
  readonly #options: TestWorkerOptions;
  readonly #socket: Socket;
  #leaving = false;
  #requestId = 0;

  constructor(address: { host: string; port: number }, options: TestWorkerOptions) {
    this.#options = options;
    this.#socket = connect(address);
    const decoder = createFrameDecoder({});
    this.#socket.on("data", (chunk) => {
      for (const frame of decoder.push(chunk)) this.#take(frame);
    });
    this.#socket.on("error", () => undefined);
    const hello: Hello = {
      type: "hello",
      minProtocol: protocolVersion,
      maxProtocol: protocolVersion,
      features: [],
      sessionId: "",
      token: "",
      namespace: "default",
      topic: options.topic,
      consumerGroup: options.consumerGroup,
      mode: "pull",
      clientName: options.name ?? "worker",
    };
    this.send(hello);
  }

  send(frame: Frame): void {
    if (this.#socket.destroyed) return;
    for (const chunk of encodeFrame(frame)) this.#socket.write(chunk);
  }

  close(): void {
    this.#socket.destroy();
  }

  #pull(): void {
    if (this.#leaving) return;
    this.send({
      type: "pull",
      requestId: ++this.#requestId,
      maxMessages: 1_000,
      maxBytes: 16 << 20,
      waitMs: 30_000,
      wait: "claim",
      offerId: 0,
    });
  }

  #take(frame: Frame): void {
    if (frame.type !== "deliver") this.frames.push(frame);
    if (frame.type === "welcome") this.#pull();
    else if (frame.type === "goaway") this.#leaving = true;
    else if (frame.type === "ping") this.send({ type: "pong", nonce: frame.nonce });
    else if (frame.type === "settled") {
      for (const { partition, first, last } of frame.ranges) {
        for (let offset = first; offset <= last; offset++) {
          this.settled.add(`${partition}:${offset}`);
        }
      }
    } else if (frame.type === "deliver") this.#deliver(frame);
  }

  #deliver(frame: Deliver): void {
    for (const delivery of frame.records) {
      this.delivered.push(delivery);
      void this.#handle(delivery);
    }
    this.#pull();
  }

  async #handle(delivery: Delivery): Promise<void> {
    const { partition, offset, attempt } = delivery;
    const how = (await this.#options.handle?.(delivery)) ?? "ack";
    if (how === "ack") {
      this.send({ type: "ack", ranges: [{ partition, first: offset, last: offset }] });
    } else if (how === "reject") {
      this.send({ type: "reject", record: { partition, offset, attempt }, reason: "no good" });
    }
  }
}
