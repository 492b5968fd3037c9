import type { Offset } from "@kafkaproxy/wire";
import {
  decodeMetadata,
  decodeOverflow,
  type Snapshot,
  type WindowRecord,
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

/** A record that the snapshot says something of. */
interface Known {
  readonly offset: Offset;
  readonly restore: (record: WindowRecord) => void;
}

function eachOf(runs: Iterable<readonly [Offset, Offset]>, restore: Known["restore"]): Known[] {
  const known: Known[] = [];
  for (const [first, last] of runs) {
    for (let offset = first; offset <= last; offset += 1) known.push({ offset, restore });
  }
  return known;
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
  const known: Known[] = [];
  for (const { offset, deliveries, out } of snapshot.counts) {
    known.push({
      offset,
      restore: (record) => {
        record.deliveries = deliveries;
        record.recorded = recorded.get(offset) ?? 0;
        if (out) lifecycle.leaseToNobody(now, record);
      },
    });
  }
  for (const { deliveries, rejected, runs } of snapshot.dying) {
    const restore = (record: WindowRecord): void => {
      record.deliveries = deliveries;
      record.rejected = rejected;
      record.state = "doomed";
    };
    for (const each of eachOf(runs, restore)) known.push(each);
  }
  const restoreOut = (record: WindowRecord): void => {
    record.deliveries = 1;
    lifecycle.leaseToNobody(now, record);
  };
  for (const each of eachOf(snapshot.out, restoreOut)) known.push(each);
  // In the order of the window: it would move everything behind each of them otherwise.
  known.sort((a, b) => a.offset - b.offset);
  for (const { offset, restore } of known) {
    const record = window.expect(offset);
    if (record === undefined) return false;
    restore(record);
  }
  // A long run right at the watermark need not be fetched.
  window.advance(window.nextWanted);
  return true;
}
