import type { Available } from "@kafkaproxy/wire";
import { Rotation, type Source, type Supply, type Taker } from "./supply.ts";

/** How long a session stays on a proxy's list of the waiting, in ms; it goes there again a little before. */
const waitMs = 30_000;
const askAgainMs = 25_000;

interface Request {
  readonly source: SourceDemand;
  readonly taker: TakerDemand;
  readonly count: number;
}

interface SourceDemand {
  readonly source: Source;
  /** Its last answer was full: there is more. */
  hot: boolean;
  /** It will say so when it has something; until then. */
  waitsUntil: number;
  requests: number;
}

interface TakerDemand {
  readonly taker: Taker;
  outstanding: number;
  requests: number;
}

/**
 * Fills N slots from P proxies of which most may be idle.
 *
 * An idle proxy answers at once with nothing and says `available` later, so it holds no slot.
 * A proxy whose answer was full gets as many requests one behind the other as there is room.
 * What was asked for and what is in hand never exceeds a taker's capacity.
 */
export class PullSupply implements Supply {
  readonly #sources = new Map<Source, SourceDemand>();
  readonly #takers = new Map<Taker, TakerDemand>();
  readonly #requests = new Map<number, Request>();
  readonly #sourceTurns = new Rotation();
  readonly #takerTurns = new Rotation();
  #lastRequestId = 0;

  addTaker(taker: Taker): void {
    this.#takers.set(taker, { taker, outstanding: 0, requests: 0 });
  }

  removeTaker(taker: Taker): void {
    this.#takers.delete(taker);
  }

  outstanding(taker: Taker): number {
    return this.#takers.get(taker)?.outstanding ?? 0;
  }

  get pending(): boolean {
    for (const { source } of this.#requests.values()) {
      if (source.source.asking) {
        return true;
      }
    }
    return false;
  }

  up(_now: number, source: Source): void {
    this.#sources.set(source, { source, hot: false, waitsUntil: 0, requests: 0 });
  }

  down(_now: number, source: Source): void {
    const demand = this.#sources.get(source);
    if (demand === undefined) {
      return;
    }
    this.#sources.delete(source);
    for (const [requestId, request] of this.#requests) {
      if (request.source === demand) {
        this.#close(requestId, request);
      }
    }
  }

  delivered(now: number, source: Source, requestId: number, count: number): Taker | undefined {
    const request = this.#requests.get(requestId);
    if (request === undefined || request.source.source !== source) {
      // Asked for over a connection that broke since: whoever has room for it.
      return this.#withRoom(count);
    }
    this.#close(requestId, request);
    const { source: demand, taker } = request;
    demand.hot = count >= request.count;
    demand.waitsUntil = count === 0 ? now + askAgainMs : 0;
    return this.#takers.has(taker.taker) ? taker.taker : undefined;
  }

  available(now: number, source: Source, { offerId, count }: Available): void {
    const demand = this.#sources.get(source);
    if (demand === undefined) {
      return;
    }
    for (const taker of this.#takerTurns.order([...this.#takers.values()])) {
      const room = roomOf(taker);
      if (room > 0 && source.asking) {
        this.#ask(demand, taker, Math.min(room, count, source.limits.maxPullMessages), offerId);
        demand.hot = room > count;
        demand.waitsUntil = now + askAgainMs;
        return;
      }
    }
    // Declined at once, so that another worker has it; and there is something here when a slot is free.
    demand.hot = true;
    demand.waitsUntil = 0;
    source.send(pullFrame(this.#nextRequestId(), 0, 0, offerId));
  }

  credit(): void {
    // Push mode only; a proxy that sends it here is told by nobody, and nothing depends on it.
  }

  pump(now: number): void {
    for (const taker of this.#takerTurns.order([...this.#takers.values()])) {
      const room = roomOf(taker);
      const worthIt = taker.taker.idle || room >= taker.taker.batch;
      if (room > 0 && worthIt) {
        this.#spread(now, taker, room);
      }
    }
  }

  #spread(now: number, taker: TakerDemand, room: number): void {
    const sources = this.#sourceTurns.order(
      [...this.#sources.values()].filter((demand) => worthAsking(now, demand)),
    );
    if (sources.length === 0) {
      return;
    }
    const share = Math.ceil(room / sources.length);
    let left = room;
    let turn = sources;
    while (left > 0 && turn.length > 0) {
      const again: SourceDemand[] = [];
      for (const demand of turn) {
        if (left <= 0 || (taker.taker.serial && taker.requests > 0)) {
          return;
        }
        const count = Math.min(left, share, demand.source.limits.maxPullMessages);
        this.#ask(demand, taker, count, 0);
        left -= count;
        if (demand.hot) {
          again.push(demand);
        }
      }
      turn = again;
    }
  }

  #ask(demand: SourceDemand, taker: TakerDemand, count: number, offerId: number): void {
    const requestId = this.#nextRequestId();
    this.#requests.set(requestId, { source: demand, taker, count });
    demand.requests++;
    taker.outstanding += count;
    taker.requests++;
    const maxBytes = Math.min(taker.taker.maxBytes, demand.source.limits.maxPullBytes);
    demand.source.send(pullFrame(requestId, count, maxBytes, offerId));
  }

  #close(requestId: number, request: Request): void {
    this.#requests.delete(requestId);
    request.source.requests--;
    request.taker.outstanding -= request.count;
    request.taker.requests--;
  }

  #withRoom(count: number): Taker | undefined {
    for (const demand of this.#takers.values()) {
      if (roomOf(demand) >= count) {
        return demand.taker;
      }
    }
    return undefined;
  }

  #nextRequestId(): number {
    this.#lastRequestId = this.#lastRequestId >= 0xffff_ffff ? 1 : this.#lastRequestId + 1;
    return this.#lastRequestId;
  }
}

function roomOf({ taker, outstanding }: TakerDemand): number {
  return taker.capacity - taker.used - outstanding;
}

/** A source that is not hot gets one request at a time: its answer says what to do next. */
function worthAsking(now: number, demand: SourceDemand): boolean {
  return (
    demand.source.asking && (demand.hot || (demand.requests === 0 && now >= demand.waitsUntil))
  );
}

function pullFrame(requestId: number, maxMessages: number, maxBytes: number, offerId: number) {
  return {
    type: "pull" as const,
    requestId,
    maxMessages,
    maxBytes,
    waitMs,
    wait: "offer" as const,
    offerId,
  };
}
