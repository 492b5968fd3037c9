import {
  decodeMetadata,
  decodeOverflow,
  type Snapshot,
  type WindowTotals,
} from "../ledger/index.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { Partition } from "./partition.ts";
import type { Takeover } from "./types.ts";

export interface Restored {
  readonly partition: Partition;
  /** The former owner may have delivered what its snapshot does not say. */
  readonly uncertain: boolean;
  readonly warning: string | undefined;
}

/** A partition as its former owner left it. */
export function restore(
  now: number,
  takeover: Takeover,
  lifecycle: Lifecycle,
  totals: WindowTotals,
): Restored {
  const { metadata, overflow, watermark } = takeover;
  const partition = new Partition(takeover.partition, watermark, totals);
  if (metadata === "") {
    return { partition, uncertain: false, warning: undefined };
  }
  const problems: string[] = [];
  const read = decodeMetadata(watermark, metadata);
  let snapshot: Snapshot | undefined;
  let complete = false;
  if ("snapshot" in read) ({ snapshot, complete } = read);
  else
    problems.push(
      `The commit metadata of partition ${takeover.partition} is ignored: ${read.problem}.`,
    );
  const recorded = new Map(snapshot?.counts.map(({ offset, deliveries }) => [offset, deliveries]));
  if (overflow !== undefined) {
    const rest = decodeOverflow(watermark, overflow);
    if ("snapshot" in rest) ({ snapshot, complete } = rest);
    else
      problems.push(`The overflow of partition ${takeover.partition} is ignored: ${rest.problem}.`);
  }
  if (snapshot !== undefined && !apply(now, partition, snapshot, recorded, lifecycle)) {
    complete = false;
    problems.push(
      `More records of partition ${takeover.partition} are out than a window remembers: the others may be delivered while somebody has them.`,
    );
  }
  const certain = complete && snapshot?.handedOver === true;
  const warning = problems.length > 0 ? problems.join(" ") : undefined;
  return { partition, uncertain: !certain, warning };
}

/** Returns false when there was no room for all. */
function apply(
  now: number,
  partition: Partition,
  snapshot: Snapshot,
  recorded: ReadonlyMap<number, number>,
  lifecycle: Lifecycle,
): boolean {
  const { window } = partition;
  for (const [first, last] of snapshot.settled) window.settleAhead(first, last);
  for (const { offset, deliveries, out } of snapshot.counts) {
    const record = window.expect(offset);
    if (record === undefined) return false;
    record.deliveries = deliveries;
    record.recorded = recorded.get(offset) ?? 0;
    if (out) lifecycle.leaseToNobody(now, record);
  }
  for (const { deliveries, rejected, runs } of snapshot.dying) {
    for (const [first, last] of runs) {
      for (let offset = first; offset <= last; offset += 1) {
        const record = window.expect(offset);
        if (record === undefined) return false;
        record.deliveries = deliveries;
        record.rejected = rejected;
        record.state = "doomed";
      }
    }
  }
  for (const [first, last] of snapshot.out) {
    for (let offset = first; offset <= last; offset += 1) {
      const record = window.expect(offset);
      if (record === undefined) return false;
      record.deliveries = 1;
      lifecycle.leaseToNobody(now, record);
    }
  }
  // A long run right at the watermark need not be fetched.
  window.advance(window.nextWanted);
  return true;
}
