/** What the tests of this room share: a dispatch with its owner's and its sessions' side recorded. */
import { emptyHeaders, type Frame } from "@kafkaproxy/wire";
import { Dispatch } from "./dispatch.ts";
import type {
  DeadRecord,
  DispatchOptions,
  PartitionCommit,
  SessionPort,
  SourceRecord,
} from "./types.ts";

export const testOptions: DispatchOptions = {
  topic: "orders",
  ackTimeoutMs: 3_000,
  maxProcessingTimeMs: 30_000,
  maxDeliveries: 5,
  backoff: { initialMs: 1_000, maxMs: 60_000 },
  maxNackDelayMs: 900_000,
  pull: { maxMessages: 10, maxBytes: 1_000_000, maxWaitMs: 60_000 },
  push: { maxCredit: 1_000 },
  queue: { maxMessages: 1_000, maxBytes: 10_000_000 },
  maxFrameBytes: 100_000,
  commitBatchSize: 1_000,
  random: () => 0.5,
};

export class TestPort implements SessionPort {
  writable = true;
  frames: Frame[] = [];

  send(frame: Frame): void {
    this.frames.push(frame);
  }

  /** Takes the frames of one type that were sent since the last time. */
  take<T extends Frame["type"]>(type: T): Extract<Frame, { type: T }>[] {
    const taken = this.frames.filter(
      (frame): frame is Extract<Frame, { type: T }> => frame.type === type,
    );
    this.frames = this.frames.filter((frame) => frame.type !== type);
    return taken;
  }
}

export class Harness {
  readonly dispatch: Dispatch;
  readonly ports = new Map<string, TestPort>();
  readonly dead: DeadRecord[] = [];
  readonly intake: [partition: number, open: boolean][] = [];
  commitsWanted = 0;
  now = 1_000;
  #requestId = 0;

  constructor(options: Partial<DispatchOptions> = {}) {
    this.dispatch = new Dispatch(
      { ...testOptions, ...options },
      {
        dead: (record) => this.dead.push(record),
        commitWanted: () => {
          this.commitsWanted += 1;
        },
        intake: (partition, open) => this.intake.push([partition, open]),
      },
    );
  }

  open(sessionId: string, mode: "pull" | "push" = "pull"): TestPort {
    const port = new TestPort();
    this.ports.set(sessionId, port);
    this.dispatch.open(this.now, { sessionId, clientName: `worker ${sessionId}`, mode }, port);
    return port;
  }

  /** Takes a partition over; the owner's first commit stands at once. */
  assign(partition = 0, watermark = 0, metadata = "", overflow?: Uint8Array): void {
    this.dispatch.assign(this.now, { partition, watermark, metadata, overflow });
    this.commit();
  }

  admit(first: number, last: number, partition = 0): number {
    const records: SourceRecord[] = [];
    for (let offset = first; offset <= last; offset += 1) records.push(record(offset));
    return this.dispatch.admit(this.now, partition, records, last + 1);
  }

  receive(sessionId: string, frame: Frame): void {
    this.dispatch.receive(this.now, sessionId, frame);
  }

  /** Pulls without waiting; returns what came. */
  pull(
    sessionId: string,
    maxMessages = 10,
  ): { partition: number; offset: number; attempt: number }[] {
    this.#requestId += 1;
    const requestId = this.#requestId;
    this.receive(sessionId, {
      type: "pull",
      requestId,
      maxMessages,
      maxBytes: 1_000_000,
      waitMs: 0,
      wait: "claim",
      offerId: 0,
    });
    const answers = this.port(sessionId).take("deliver");
    return answers.flatMap(({ records }) =>
      records.map(({ partition, offset, attempt }) => ({ partition, offset, attempt })),
    );
  }

  ack(sessionId: string, first: number, last = first, partition = 0): void {
    this.receive(sessionId, { type: "ack", ranges: [{ partition, first, last }] });
  }

  port(sessionId: string): TestPort {
    const port = this.ports.get(sessionId);
    if (port === undefined) throw new Error(`no session ${sessionId}`);
    return port;
  }

  /** Time goes on in the steps that dispatch asks for. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.dispatch.nextTickAt();
      if (next === undefined || next > end) break;
      this.now = Math.max(this.now, next);
      this.dispatch.tick(this.now);
    }
    this.now = end;
    this.dispatch.tick(end);
  }

  /** The broker has refused metadata longer than `chars`. */
  limitMetadata(chars: number): void {
    this.dispatch.shortenMetadata([{ partition: 0, offset: 0, metadata: "x".repeat(chars + 1) }]);
  }

  /** Takes and confirms all there is to commit. */
  commit(all = false): PartitionCommit[] {
    const commits = this.dispatch.takeCommits(this.now, all);
    for (const commit of commits) this.dispatch.commitConfirmed(this.now, commit);
    return commits;
  }
}

export function record(offset: number, bytes = 10): SourceRecord {
  return {
    offset,
    timestamp: 1_700_000_000_000,
    key: null,
    value: new Uint8Array(bytes),
    headers: emptyHeaders,
  };
}
