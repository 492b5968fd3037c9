import type { Offset } from "@kafkaproxy/wire";
import type { CountedRecord, DyingRecords, Run, Snapshot } from "./snapshot-content.ts";
import type { Window } from "./window.ts";
import type { WindowRecord } from "./window-record.ts";

export interface Description extends Snapshot {
  /** The records that `counts` speaks of, in the same order. */
  readonly counted: readonly WindowRecord[];
}

/**
 * What a snapshot of `window` says. Runs of settled records that do not fit `room` characters are left out.
 * Read in one pass over the unsettled: what is settled is what lies between them.
 */
export function describe(window: Window, handedOver: boolean, room: number): Description {
  const counted: WindowRecord[] = [];
  const counts: CountedRecord[] = [];
  const dying = new DyingByFate();
  const out: Run[] = [];
  const settled: Run[] = [];
  const { watermark, next } = window;
  // More runs over more offsets than these fit in no way of writing them: a bitmap begins at the first run.
  const enough = (): boolean =>
    settled.length > room && (settled.at(-1)?.[1] ?? 0) > (settled[0]?.[0] ?? 0) + room * 8;
  let outFirst = -1;
  let outLast = -1;
  let expectedAt: Offset = watermark;
  window.forEach((record) => {
    const { offset } = record;
    if (offset > expectedAt && expectedAt < next && !enough()) {
      settled.push([expectedAt, Math.min(offset, next) - 1]);
    }
    expectedAt = offset + 1;
    if (record.deliveries === 0) return;
    if (record.state === "dying" || record.state === "doomed") {
      dying.add(record);
      return;
    }
    const leased = record.state === "leased";
    // A count that has its place keeps it.
    if (leased && record.deliveries === 1 && record.recorded === 0) {
      if (offset !== outLast + 1 || outFirst < 0) {
        if (outFirst >= 0) out.push([outFirst, outLast]);
        outFirst = offset;
      }
      outLast = offset;
    } else {
      counted.push(record);
      counts.push({ offset, deliveries: record.deliveries, out: leased });
    }
  });
  if (outFirst >= 0) out.push([outFirst, outLast]);
  if (expectedAt < next && !enough()) settled.push([expectedAt, next - 1]);
  for (const [first, last] of window.settledAhead) {
    const before = settled.at(-1);
    if (before !== undefined && before[1] + 1 === first)
      settled[settled.length - 1] = [before[0], last];
    else if (!enough()) settled.push([first, last]);
  }
  return { handedOver, counts, dying: dying.all, out, settled, counted };
}

/**
 * Dying records as runs of those that died alike. They take no places from the counts: while the dead-letter topic
 * takes nothing they are without number, and redeliveries wait for a place.
 */
class DyingByFate {
  readonly #groups = new Map<number, { deliveries: number; rejected: boolean; runs: Run[] }>();

  add({ deliveries, offset, rejected }: WindowRecord): void {
    const fate = deliveries * 2 + Number(rejected);
    let group = this.#groups.get(fate);
    if (group === undefined) {
      group = { deliveries, rejected, runs: [] };
      this.#groups.set(fate, group);
    }
    const last = group.runs.at(-1);
    if (last !== undefined && last[1] + 1 === offset)
      group.runs[group.runs.length - 1] = [last[0], offset];
    else group.runs.push([offset, offset]);
  }

  get all(): readonly DyingRecords[] {
    return [...this.#groups.values()];
  }
}
