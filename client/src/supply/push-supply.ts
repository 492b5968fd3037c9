import type { Credit } from "@kafkaproxy/wire";
import { Rotation, type Source, type Supply, type Taker } from "./supply.ts";

/** A proxy that has delivered nothing for this long lends its credit to those that do, in ms. */
const idleAfterMs = 100;
/** While slots are empty it need not be so long: who has something to deliver does so in a round trip, in ms. */
const visitMs = 25;
/** With the round trip, and the clock by which credit is looked at. */
const longestVisitMs = 250;
/** A lone credit spends one part of its time on visits to idle proxies, and so many with busy ones. */
const betweenVisits = 4;

interface SourceCredit {
  readonly source: Source;
  /** Granted, and not used as far as we know. */
  credit: number;
  /** Asked back, not confirmed; part of `credit` until it is. */
  revoking: number;
  revocationId: number;
  /** Credit that it has refused to go beyond: never less than the limit that it has, which it does not tell. */
  limit: number;
  deliveredAt: number;
  grantedAt: number;
  /** It used up what it had, and has not yet been idle with new credit: it may have more. */
  hungry: boolean;
}

/**
 * The credit of all proxies together is the room there is, never more.
 *
 * Every proxy has one credit if there are enough, so that it can begin; proxies that deliver share
 * the rest. When a busy one has none left and slots are empty, idle ones give theirs back: a credit
 * counts as theirs until they confirm, so what is on its way finds room. From then on they get one
 * for a short visit in turn, so that the busy ones fill the slots however many proxies are idle.
 */
export class PushSupply implements Supply {
  readonly #sources = new Map<Source, SourceCredit>();
  readonly #takers = new Set<Taker>();
  readonly #takerTurns = new Rotation();
  #lastRequestId = 0;
  #nextVisitAt = 0;

  addTaker(taker: Taker): void {
    this.#takers.add(taker);
  }

  removeTaker(taker: Taker): void {
    this.#takers.delete(taker);
  }

  /** Credit is of no taker; what comes late finds another one, or goes back. */
  outstanding(): number {
    return 0;
  }

  /** Credit granted over all proxies. */
  get granted(): number {
    let sum = 0;
    for (const { credit } of this.#sources.values()) {
      sum += credit;
    }
    return sum;
  }

  get pending(): boolean {
    for (const { source, credit } of this.#sources.values()) {
      if (source.asking && credit > 0) {
        return true;
      }
    }
    return false;
  }

  up(_now: number, source: Source): void {
    this.#sources.set(source, {
      source,
      credit: 0,
      revoking: 0,
      revocationId: 0,
      limit: Number.POSITIVE_INFINITY,
      deliveredAt: Number.NEGATIVE_INFINITY,
      grantedAt: 0,
      hungry: false,
    });
  }

  down(_now: number, source: Source): void {
    this.#sources.delete(source);
  }

  delivered(now: number, source: Source, _requestId: number, count: number): Taker | undefined {
    const state = this.#sources.get(source);
    if (state !== undefined && count > 0) {
      state.credit = Math.max(0, state.credit - count);
      state.deliveredAt = now;
      state.hungry = state.credit === 0;
    }
    for (const taker of this.#takerTurns.order([...this.#takers])) {
      if (taker.capacity - taker.used >= count) {
        return taker;
      }
    }
    // Room there is, but not with one of them: the first that takes anything.
    return [...this.#takers].find((taker) => taker.capacity > 0);
  }

  available(): void {
    // Pull mode only; an offer that nobody answers goes to the next worker.
  }

  credit(now: number, source: Source, { requestId, delta }: Credit): void {
    const state = this.#sources.get(source);
    if (state === undefined) {
      return;
    }
    // Of a grant it says how much was above the proxy's own limit.
    state.credit = Math.max(0, state.credit + delta);
    if (requestId === state.revocationId) {
      state.revoking = 0;
      // What it had in quieter times was no visit.
      const visitedMs = Math.min(now - usedAt(state), longestVisitMs);
      const pauseMs = (visitedMs * betweenVisits) / Math.max(1, this.#capacity());
      this.#nextVisitAt = Math.max(this.#nextVisitAt, now + pauseMs);
    } else {
      state.limit = Math.min(state.limit, Math.max(1, state.credit));
    }
    this.pump(now);
  }

  pump(now: number): void {
    // Who has waited longest is the first: taking turns by counting can miss the same one each time.
    const sources = [...this.#sources.values()]
      .filter(({ source }) => source.asking)
      .sort((a, b) => a.grantedAt - b.grantedAt);
    if (sources.length === 0) {
      return;
    }
    let free = this.#room() - this.granted;
    if (free < 0) {
      this.#revokeDown(sources, -free);
      return;
    }
    for (const state of sources) {
      state.hungry &&= state.credit === 0 || now - usedAt(state) < idleAfterMs;
    }
    const pressed = sources.some(({ hungry }) => hungry);
    const busy = sources.filter(
      ({ hungry, deliveredAt }) => hungry || now - deliveredAt < idleAfterMs,
    );
    const grants = new Map<SourceCredit, number>();
    const grant = (state: SourceCredit, count: number): void => {
      grants.set(state, (grants.get(state) ?? 0) + count);
      free -= count;
    };
    for (const state of pressed ? [...this.#visited(now, sources, busy), ...busy] : sources) {
      if (free > 0 && state.credit === 0) {
        grant(state, 1);
        if (!busy.includes(state)) {
          this.#nextVisitAt = now + idleAfterMs;
        }
      }
    }
    const spare = (state: SourceCredit): number =>
      state.limit - state.credit - (grants.get(state) ?? 0);
    const sharing = (busy.length > 0 ? busy : sources).filter(
      (state) => state.revoking === 0 && spare(state) > 0,
    );
    for (const [index, state] of sharing.entries()) {
      const share = Math.min(spare(state), Math.ceil(free / (sharing.length - index)));
      if (share > 0 && this.#worthIt(share)) {
        grant(state, share);
      }
    }
    for (const [state, count] of grants) {
      state.credit += count;
      state.grantedAt = now;
      state.source.send({ type: "credit", requestId: this.#nextRequestId(), delta: count });
    }
    if (free === 0 && pressed) {
      this.#moveToBusy(now, sources, busy);
    } else if (free === 0) {
      this.#moveFromIdle(now, sources);
    }
  }

  /** The idle one that has waited longest for credit, when it is time for a visit again. */
  #visited(
    now: number,
    sources: readonly SourceCredit[],
    busy: readonly SourceCredit[],
  ): SourceCredit[] {
    if (now < this.#nextVisitAt) {
      return [];
    }
    return sources.filter((state) => state.credit === 0 && !busy.includes(state)).slice(0, 1);
  }

  /** Some proxy could use the credit that idle ones hold: at once where slots are empty, else other idle ones get their turn. */
  #moveToBusy(now: number, sources: readonly SourceCredit[], busy: readonly SourceCredit[]): void {
    const isEmptySlot = [...this.#takers].some((taker) => taker.idle && taker.capacity > 0);
    const others = sources.some((state) => state.credit === 0 && !busy.includes(state));
    for (const state of sources) {
      const restedMs = now - usedAt(state);
      const wanted = isEmptySlot ? restedMs >= visitMs : others && restedMs >= idleAfterMs;
      if (wanted && !busy.includes(state)) {
        this.#revoke(state, state.credit);
      }
    }
  }

  /** Nobody is known to have more, and some are empty-handed: idle ones keep one credit, or none when there are too few. */
  #moveFromIdle(now: number, sources: readonly SourceCredit[]): void {
    const empty = sources.filter(({ credit }) => credit === 0);
    if (empty.length === 0) {
      return;
    }
    // A credit is left for a while where it was granted, or it would do nothing but travel.
    const idle = sources.filter((state) => now - usedAt(state) >= idleAfterMs);
    const rich = idle.filter(({ credit }) => credit > 1);
    for (const state of rich) {
      this.#revoke(state, state.credit - 1);
    }
    if (rich.length === 0) {
      for (const state of idle.filter(({ credit }) => credit === 1).slice(0, empty.length)) {
        this.#revoke(state, 1);
      }
    }
  }

  #revokeDown(sources: readonly SourceCredit[], excess: number): void {
    let left = excess;
    for (const state of sources) {
      left -= state.revoking;
    }
    for (const state of sources) {
      if (left > 0 && state.revoking === 0 && state.credit > 0) {
        const count = Math.min(left, state.credit);
        this.#revoke(state, count);
        left -= count;
      }
    }
  }

  #revoke(state: SourceCredit, count: number): void {
    if (state.revoking > 0 || count <= 0) {
      return;
    }
    state.revoking = count;
    state.revocationId = this.#nextRequestId();
    state.source.send({ type: "credit", requestId: state.revocationId, delta: -count });
  }

  /** Without anybody idle, a few credits more or less are not worth a frame. */
  #worthIt(share: number): boolean {
    for (const taker of this.#takers) {
      if (taker.idle || share >= taker.batch) {
        return true;
      }
    }
    return false;
  }

  #room(): number {
    let room = 0;
    for (const taker of this.#takers) {
      room += Math.max(0, taker.capacity - taker.used);
    }
    return room;
  }

  #capacity(): number {
    let capacity = 0;
    for (const taker of this.#takers) {
      capacity += taker.capacity;
    }
    return capacity;
  }

  #nextRequestId(): number {
    this.#lastRequestId = this.#lastRequestId >= 0xffff_ffff ? 1 : this.#lastRequestId + 1;
    return this.#lastRequestId;
  }
}

/** When it last delivered or got credit. */
function usedAt({ deliveredAt, grantedAt }: SourceCredit): number {
  return Math.max(deliveredAt, grantedAt);
}
