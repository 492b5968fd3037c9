import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import {
  createFrameDecoder,
  type Delivery,
  defaultLimits,
  emptyHeaders,
  encodeFrame,
  type ErrorCode,
  type Frame,
  type FrameType,
  type Hello,
  type Pull,
  type RecordRef,
  type SessionLimits,
} from "@kafkaproxy/wire";
import { type FakeRecord, type FakeTopic, keyOf } from "./fake-topic.ts";

export interface FakeSession {
  readonly id: string;
  readonly hello: Hello;
  socket: Socket | undefined;
  credit: number;
  waiting: boolean;
  everHeld: Set<string>;
}

export interface FakeProxyOptions {
  readonly instance?: string;
  readonly partitions?: readonly number[];
  readonly limits?: Partial<SessionLimits>;
  readonly token?: string;
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Acks are settled at once; false: only by commit(). */
  readonly autoCommit?: boolean;
}

let sessions = 0;
/** A proxy in a few lines on the real wire, which can be killed, cut off, moved and made to lie. */
export class FakeProxy {
  readonly instance: string;
  readonly limits: SessionLimits;
  /** All frames that came in. */
  readonly received: Frame[] = [];
  readonly sessions = new Map<string, FakeSession>();
  topic: FakeTopic;
  partitions: number[];
  /** Of the group, as far as this proxy has heard. */
  generation: number;
  token: string;
  /** Refuse every hello with this. */
  refuse: ErrorCode | undefined;
  /** Swallow these frames. */
  deaf = new Set<FrameType>();
  connections = 0;
  /** How long its frames are on their way, in ms. */
  latencyMs = 0;
  #options: FakeProxyOptions;
  #server: Server | undefined;
  #port = 0;
  #sockets = new Set<Socket>();
  #acked: { session: FakeSession; partition: number; offset: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #offers = 0;
  /** What it has no connection to, while it is cut off. */
  #away: FakeTopic | undefined;

  constructor(topic: FakeTopic, options: FakeProxyOptions = {}) {
    this.topic = topic;
    this.#options = options;
    this.instance = options.instance ?? "fake-0";
    this.partitions = [...(options.partitions ?? [0])];
    this.token = options.token ?? "";
    this.generation = topic.generation;
    this.limits = { ...defaultLimits, ...options.limits };
  }

  get port(): number {
    return this.#port;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  /** Listens, on the same port as before. */
  async start(): Promise<this> {
    const { tls } = this.#options;
    const accept = (socket: Socket) => this.#accept(socket);
    const server = tls === undefined ? createServer(accept) : createTlsServer({ ...tls }, accept);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
    this.#timer = setInterval(() => this.#expire(), 20);
    return this;
  }

  /** Cuts all connections; sessions live on. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Stops listening and cuts all connections; sessions live on. */
  async unplug(): Promise<void> {
    clearInterval(this.#timer);
    const closed = new Promise((resolve) => this.#server?.close(resolve) ?? resolve(undefined));
    this.cut();
    await closed;
    this.#server = undefined;
  }

  /** As by SIGKILL: sessions are gone, and what they held is leased to nobody; acks not committed are lost. */
  async kill(): Promise<void> {
    await this.unplug();
    this.#loseUncommitted();
    this.sessions.clear();
    this.partitions = [];
  }

  /**
   * From Kafka: it delivers and commits nothing, takes acks, and claims its partitions on whoever has them by now.
   * What others take over from here on is as after a kill.
   */
  cutOff(): void {
    const copy = this.topic.copy();
    this.#loseUncommitted();
    this.#away = this.topic;
    this.topic = copy;
  }

  get isCutOff(): boolean {
    return this.#away !== undefined;
  }

  /** Kafka is back, and says that the membership is over. */
  rejoin(): void {
    this.topic = this.#away ?? this.topic;
    this.#away = undefined;
    this.#acked = [];
    this.generation = this.topic.generation;
    this.setPartitions([]);
  }

  #loseUncommitted(): void {
    for (const ref of this.#acked) {
      const record = this.topic.find(ref);
      if (record?.durable === false) {
        record.state = "leased";
        record.holder = undefined;
        record.leaseUntil = Number.POSITIVE_INFINITY;
      }
    }
    for (const record of this.topic.records) {
      if (record.state === "leased" && this.partitions.includes(record.partition)) {
        record.holder = undefined;
      }
    }
    this.#acked = [];
  }

  async stop(): Promise<void> {
    if (this.#server !== undefined) await this.unplug();
  }

  setPartitions(partitions: readonly number[]): void {
    // What is handed over is committed with it.
    for (const ref of this.#acked) {
      if (!partitions.includes(ref.partition)) this.#makeDurable(ref);
    }
    this.partitions = [...partitions];
    this.toAll(this.#owned());
    this.offer();
  }

  /** Takes partitions over: what was out is leased to nobody for an ack time-out. */
  takeOver(partitions: readonly number[]): void {
    for (const record of this.topic.records) {
      if (partitions.includes(record.partition) && record.state === "leased") {
        record.holder = undefined;
        record.leaseUntil = Date.now() + this.limits.ackTimeoutMs;
      }
    }
    this.generation = ++this.topic.generation;
    this.setPartitions([...this.partitions, ...partitions]);
  }

  #owned(): Frame {
    return { type: "owned", partitions: this.partitions, generation: this.generation };
  }

  /** Acks become durable. */
  commit(): void {
    if (this.isCutOff) return;
    const acked = this.#acked;
    this.#acked = [];
    for (const { session, partition, offset } of acked) {
      this.#makeDurable({ partition, offset });
      const ranges = [{ partition, first: offset, last: offset }];
      this.send(session, { type: "settled", ranges });
    }
  }

  #makeDurable(ref: { partition: number; offset: number }): void {
    const record = this.topic.find(ref);
    if (record !== undefined) record.durable = true;
  }

  toAll(frame: Frame): void {
    for (const session of this.sessions.values()) this.send(session, frame);
  }

  send(session: FakeSession, frame: Frame): void {
    const { socket } = session;
    const write = () => {
      for (const chunk of encodeFrame(frame)) socket?.write(chunk);
    };
    if (this.latencyMs > 0) setTimeout(write, this.latencyMs);
    else write();
  }

  frames<T extends FrameType>(type: T): Extract<Frame, { type: T }>[] {
    return this.received.filter((frame) => frame.type === type) as Extract<Frame, { type: T }>[];
  }

  held(session?: FakeSession): number {
    return this.topic.records.filter(
      ({ state, holder }) =>
        state === "leased" &&
        (session === undefined
          ? [...this.sessions.values()].includes(holder as FakeSession)
          : holder === session),
    ).length;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    this.connections++;
    const decoder = createFrameDecoder();
    let session: FakeSession | undefined;
    socket.on("error", () => undefined); // its close says all
    socket.on("close", () => {
      this.#sockets.delete(socket);
      if (session?.socket === socket) session.socket = undefined;
    });
    socket.on("data", (chunk) => {
      for (const frame of decoder.push(chunk)) {
        this.received.push(frame);
        if (this.deaf.has(frame.type)) continue;
        if (frame.type === "hello") session = this.#hello(socket, frame);
        else if (session !== undefined) this.#handle(session, frame);
      }
    });
  }

  #hello(socket: Socket, hello: Hello): FakeSession | undefined {
    const refuse = this.refuse ?? (hello.token === this.token ? undefined : "unauthorized");
    if (refuse !== undefined) {
      const frame: Frame = { type: "error", code: refuse, message: "no", records: [] };
      for (const chunk of encodeFrame(frame)) socket.write(chunk);
      socket.end();
      return undefined;
    }
    const known = this.sessions.get(hello.sessionId);
    const session: FakeSession = known ?? {
      id: `session-${++sessions}`,
      hello,
      socket,
      credit: 0,
      waiting: false,
      everHeld: new Set(),
    };
    known?.socket?.destroySoon();
    session.socket = socket;
    session.credit = 0;
    session.waiting = false;
    this.sessions.set(session.id, session);
    this.send(session, {
      type: "welcome",
      protocol: 1,
      features: [],
      sessionId: session.id,
      resumed: known !== undefined,
      instance: this.instance,
      limits: this.limits,
    });
    this.send(session, this.#owned());
    return session;
  }

  #handle(session: FakeSession, frame: Frame): void {
    switch (frame.type) {
      case "pull":
        this.#pull(session, frame);
        break;
      case "credit":
        this.#credit(session, frame.requestId, frame.delta);
        break;
      case "ack":
        for (const { partition, first, last } of frame.ranges) {
          for (let offset = first; offset <= last; offset++)
            this.#ack(session, partition, offset, false);
        }
        if (this.#options.autoCommit !== false) this.commit();
        break;
      case "nack":
      case "reject":
        this.#giveBack(session, frame.record, (record) => {
          if (frame.type === "reject") {
            this.topic.rejected.push({ offset: record.offset, reason: frame.reason });
            record.state = "settled";
          } else {
            const { reason, delayMs } = frame;
            this.topic.nacked.push({ offset: record.offset, reason, delayMs });
          }
        });
        break;
      case "release":
        for (const ref of frame.records)
          this.#giveBack(session, ref, (record) => {
            record.attempt--;
            this.topic.deliveries.set(
              keyOf(record),
              (this.topic.deliveries.get(keyOf(record)) ?? 1) - 1,
            );
          });
        break;
      case "extend":
        this.#extend(session, frame.all, frame.except, frame.records);
        break;
      case "present":
        this.#present(session, frame.records);
        break;
      case "goaway":
        this.sessions.delete(session.id);
        for (const record of this.topic.records) {
          if (record.holder === session && record.state === "leased") {
            record.state = "ready";
            record.holder = undefined;
          }
        }
        break;
      case "ping":
        this.send(session, { type: "pong", nonce: frame.nonce });
        break;
      default:
    }
    this.offer();
  }

  #ready(): FakeRecord[] {
    if (this.isCutOff) return [];
    return this.topic.records.filter(
      ({ state, partition }) => state === "ready" && this.partitions.includes(partition),
    );
  }

  #pull(session: FakeSession, pull: Pull): void {
    if (pull.maxMessages === 0) return;
    const records = this.#ready().slice(0, Math.min(pull.maxMessages, this.limits.maxPullMessages));
    if (records.length === 0) session.waiting = true;
    this.#deliver(session, pull.requestId, records);
  }

  #deliver(session: FakeSession, requestId: number, records: readonly FakeRecord[]): void {
    const deliveries = records.map((record): Delivery => {
      record.state = "leased";
      record.holder = session;
      record.attempt++;
      record.leaseUntil = Date.now() + this.limits.ackTimeoutMs;
      session.everHeld.add(keyOf(record));
      this.topic.deliveries.set(keyOf(record), (this.topic.deliveries.get(keyOf(record)) ?? 0) + 1);
      return {
        partition: record.partition,
        offset: record.offset,
        attempt: record.attempt,
        leaseMs: this.limits.ackTimeoutMs,
        timestamp: 1_700_000_000_000,
        key: null,
        value: record.value,
        headers: emptyHeaders,
      };
    });
    this.send(session, { type: "deliver", requestId, records: deliveries });
  }

  /** Tells waiting sessions, or pushes on credit. */
  offer(): void {
    for (const session of this.sessions.values()) {
      if (session.socket === undefined) continue;
      const ready = this.#ready();
      if (ready.length === 0) return;
      if (session.hello.mode === "push" && session.credit > 0) {
        const records = ready.slice(0, session.credit);
        session.credit -= records.length;
        this.#deliver(session, 0, records);
      } else if (session.waiting) {
        session.waiting = false;
        this.send(session, { type: "available", offerId: ++this.#offers, count: ready.length });
      }
    }
  }

  #credit(session: FakeSession, requestId: number, delta: number): void {
    if (delta >= 0) {
      session.credit += delta;
      return;
    }
    const taken = Math.min(session.credit, -delta);
    session.credit -= taken;
    this.send(session, { type: "credit", requestId, delta: -taken });
  }

  #ack(session: FakeSession, partition: number, offset: number, presented: boolean): void {
    const ref = { partition, offset, attempt: 1 };
    if (!this.partitions.includes(partition)) {
      this.#error(session, "moved", ref);
      return;
    }
    const record = this.topic.find(ref);
    if (record === undefined || (!presented && !session.everHeld.has(keyOf(ref)))) {
      this.#error(session, "not-held", ref);
      return;
    }
    session.everHeld.add(keyOf(ref));
    if (record.state === "leased" && record.holder !== undefined && record.holder !== session) {
      const { attempt } = record;
      this.send(record.holder, {
        type: "cancel",
        reason: "settled",
        records: [{ partition, offset, attempt }],
      });
    }
    record.state = "settled";
    this.#acked.push({ session, partition, offset });
  }

  #giveBack(session: FakeSession, ref: RecordRef, then: (record: FakeRecord) => void): void {
    if (!this.partitions.includes(ref.partition)) {
      this.#error(session, "moved", ref);
      return;
    }
    const record = this.topic.find(ref);
    if (record?.holder !== session || record.attempt !== ref.attempt || record.state !== "leased") {
      this.#error(session, "stale", ref);
      return;
    }
    record.state = "ready";
    record.holder = undefined;
    then(record);
  }

  #extend(
    session: FakeSession,
    all: boolean,
    except: readonly { partition: number; first: number; last: number }[],
    refs: readonly RecordRef[],
  ): void {
    for (const record of this.topic.records) {
      const named = all
        ? !except.some(
            ({ partition, first, last }) =>
              partition === record.partition && first <= record.offset && record.offset <= last,
          )
        : refs.some((ref) => keyOf(ref) === keyOf(record) && ref.attempt === record.attempt);
      if (named && record.holder === session && record.state === "leased") {
        record.leaseUntil = Date.now() + this.limits.ackTimeoutMs;
      }
    }
    for (const ref of refs) {
      if (!this.partitions.includes(ref.partition)) this.#error(session, "moved", ref);
    }
  }

  #present(
    session: FakeSession,
    records: readonly (RecordRef & { readonly state: "held" | "acked" })[],
  ): void {
    const accepted: (RecordRef & { state: "held" })[] = [];
    for (const { partition, offset, attempt, state } of records) {
      if (state === "acked") {
        this.#ack(session, partition, offset, true);
        continue;
      }
      const record = this.topic.find({ partition, offset });
      session.everHeld.add(keyOf({ partition, offset }));
      const free =
        record !== undefined &&
        record.state !== "settled" &&
        (record.holder === undefined || record.holder === session);
      if (free && this.partitions.includes(partition)) {
        record.state = "leased";
        record.holder = session;
        record.attempt = attempt;
        record.leaseUntil = Date.now() + this.limits.ackTimeoutMs;
        accepted.push({ partition, offset, attempt, state: "held" });
      } else {
        const reason = record?.state === "settled" ? "settled" : "stale";
        this.send(session, {
          type: "cancel",
          reason,
          records: [{ partition, offset, attempt }],
        });
      }
    }
    this.send(session, { type: "present", leaseMs: this.limits.ackTimeoutMs, records: accepted });
    if (this.#options.autoCommit !== false) this.commit();
  }

  #error(session: FakeSession, code: ErrorCode, record: RecordRef): void {
    this.send(session, { type: "error", code, message: code, records: [record] });
  }

  #expire(): void {
    const now = Date.now();
    for (const record of this.topic.records) {
      const ours = this.partitions.includes(record.partition);
      if (ours && record.state === "leased" && now >= record.leaseUntil) {
        const { partition, offset, attempt, holder } = record;
        record.state = "ready";
        record.holder = undefined;
        if (holder !== undefined) {
          const records = [{ partition, offset, attempt }];
          this.send(holder, { type: "cancel", reason: "expired", records });
        }
      }
    }
    this.offer();
  }
}
