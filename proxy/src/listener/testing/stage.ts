/** A listener on a free port before a real dispatch, with a clock that tests can move. */
import type { Frame } from "@kafkaproxy/wire";
import { emptyHeaders } from "@kafkaproxy/wire";
import { parseSettings } from "../../config/index.ts";
import { Dispatch } from "../../dispatch/index.ts";
import { createListener, type Listener } from "../listener.ts";
import { RawClient } from "./raw-client.ts";

export interface LogLine {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

export interface StageOptions {
  readonly listener?: Record<string, unknown>;
  readonly delivery?: Record<string, unknown>;
  readonly pull?: Record<string, unknown>;
}

export class Stage {
  readonly listener: Listener;
  readonly dispatch: Dispatch;
  readonly log: LogLine[] = [];
  readonly clients: RawClient[] = [];
  port = 0;
  /** Added to the real clock. */
  skewMs = 0;
  #nextOffset = 0;

  constructor(options: StageOptions = {}) {
    const config = parseSettings(
      {
        topic: "orders",
        consumerGroup: "billing",
        kafka: { bootstrapServers: "localhost:9092" },
        zookeeper: { servers: "localhost:2181" },
        delivery: options.delivery ?? {},
        pull: options.pull ?? {},
        listener: { port: 0, ...options.listener },
      },
      {},
    );
    this.dispatch = new Dispatch(
      {
        topic: "orders",
        ...config.delivery,
        pull: config.pull,
        push: config.push,
        queue: { maxMessages: 100_000, maxBytes: 1_000_000_000 },
        maxFrameBytes: config.listener.maxFrameBytes,
        commitBatchSize: 1_000,
        random: () => 0.5,
      },
      {
        dead: () => undefined,
        commitWanted: () => {
          queueMicrotask(() => {
            this.#commit();
          });
        },
        intake: () => undefined,
      },
    );
    const line =
      (level: string) =>
      (fields: object, message: string): void => {
        this.log.push({ level, fields, message });
      };
    this.listener = createListener({
      config,
      identity: {
        namespace: "default",
        topic: "orders",
        consumerGroup: "billing",
        instance: "proxy-0",
      },
      dispatch: this.dispatch,
      now: () => this.now,
      logger: {
        debug: line("debug"),
        info: line("info"),
        warn: line("warn"),
        error: line("error"),
      },
      fileCheckMs: 20,
    });
  }

  get now(): number {
    return performance.now() + this.skewMs;
  }

  async start(): Promise<this> {
    ({ port: this.port } = await this.listener.start());
    this.dispatch.assign(this.now, { partition: 0, watermark: 0, metadata: "" });
    return this;
  }

  client(tls?: ConstructorParameters<typeof RawClient>[1]): RawClient {
    const client = new RawClient(this.port, tls);
    this.clients.push(client);
    return client;
  }

  /** Puts records of `bytes` into partition 0. */
  admit(count: number, bytes: number): void {
    const value = Buffer.alloc(bytes, 7);
    const records = Array.from({ length: count }, () => ({
      offset: this.#nextOffset++,
      timestamp: 0,
      key: null,
      value,
      headers: emptyHeaders,
    }));
    this.dispatch.admit(this.now, 0, records, this.#nextOffset);
  }

  /** Every commit succeeds. */
  #commit(): void {
    for (const commit of this.dispatch.takeCommits(this.now)) {
      this.dispatch.commitConfirmed(this.now, commit);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.clients) socket.destroy();
    await this.listener.close();
  }
}

export const pull = (
  requestId: number,
  maxMessages = 10,
  maxBytes = 16 * 1024 * 1024,
): Extract<Frame, { type: "pull" }> => ({
  type: "pull",
  requestId,
  maxMessages,
  maxBytes,
  waitMs: 30_000,
  wait: "claim",
  offerId: 0,
});
