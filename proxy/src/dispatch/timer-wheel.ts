import { type Linked, LinkedList } from "../ledger/index.ts";

/** Precision: nothing fires early, and nothing later than this when tick is called in time. */
const stepMs = 16;
/** One turn is a little over 16 s; what is due later is looked at once a turn. */
const slotCount = 1024;

/**
 * One coarse clock for very many deadlines: arming and disarming cost O(1) and allocate nothing.
 * A deadline may be moved on in place (`dueAt` made larger) without telling the wheel: when the old one comes, the
 * wheel looks again. That makes renewing 100,000 leases at once a plain loop over numbers.
 */
export class TimerWheel<T extends Linked<T> & { dueAt: number }> {
  readonly #slots: LinkedList<T>[] = Array.from({ length: slotCount }, () => new LinkedList<T>());
  readonly #firing = new LinkedList<T>();
  /** Number of the last step that was run; steps count from time 0. */
  #step = 0;
  /** No member is in a step before this one. */
  #earliest = Infinity;

  schedule(now: number, member: T, dueAt: number): void {
    if (this.#earliest === Infinity) this.#step = Math.floor(now / stepMs);
    member.dueAt = dueAt;
    this.#place(member);
  }

  /** Runs `onDue` for what is due; it may schedule and remove as it likes. */
  advance(now: number, onDue: (member: T) => void): void {
    const target = Math.floor(now / stepMs);
    if (target < this.#earliest) return;
    const from = this.#earliest;
    const steps = Math.min(target - from + 1, slotCount);
    this.#step = target;
    for (let step = from; step < from + steps; step += 1) this.#collect(step);
    this.#earliest = this.#nextUsed();
    for (let member = this.#firing.shift(); member; member = this.#firing.shift()) {
      if (member.dueAt <= now) onDue(member);
      else this.#place(member);
    }
  }

  /** When advance is needed next; undefined when nothing is armed. */
  nextAt(): number | undefined {
    return this.#earliest === Infinity ? undefined : this.#earliest * stepMs;
  }

  #collect(step: number): void {
    const slot = this.#slots[step % slotCount];
    for (let member = slot?.first; member; member = slot?.first) this.#firing.append(member);
  }

  #place(member: T): void {
    const due = Math.ceil(member.dueAt / stepMs);
    const step = Math.min(Math.max(due, this.#step + 1), this.#step + slotCount);
    this.#slots[step % slotCount]?.append(member);
    if (step < this.#earliest) this.#earliest = step;
  }

  #nextUsed(): number {
    for (let step = this.#step + 1; step <= this.#step + slotCount; step += 1) {
      if ((this.#slots[step % slotCount]?.size ?? 0) > 0) return step;
    }
    return Infinity;
  }
}
