import type { OffsetRange, PresentedRecord } from "@kafkaproxy/wire";
import type { Outlet } from "./outlet.ts";

/** Records or ranges in one frame: well below any frame limit in use. */
const maxListed = 20_000;

export function sendAcks(outlet: Outlet, ranges: readonly OffsetRange[]): void {
  for (let at = 0; at < ranges.length; at += maxListed) {
    outlet.send({ type: "ack", ranges: ranges.slice(at, at + maxListed) });
  }
}

export function sendPresent(outlet: Outlet, records: readonly PresentedRecord[]): void {
  for (let at = 0; at < records.length; at += maxListed) {
    outlet.send({ type: "present", leaseMs: 0, records: records.slice(at, at + maxListed) });
  }
}
