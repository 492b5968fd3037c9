/** One partition's window: what is out, acked and dead, how often each was delivered, and the snapshot of it that a commit carries. Pure. */
export { describe, type Description } from "./describe.ts";
export { Linked, LinkedList } from "./linked-list.ts";
export { maxMetadataChars, MetadataRoom } from "./metadata-room.ts";
export { OffsetRanges } from "./offset-ranges.ts";
export {
  type Decoded,
  decodeMetadata,
  decodeOverflow,
  encodeMetadata,
  type EncodedSnapshot,
  encodeOverflow,
} from "./snapshot.ts";
export type { CountedRecord, DyingRecords, Run, Snapshot } from "./snapshot-content.ts";
export { Window, type WindowTotals } from "./window.ts";
export { type Holder, type RecordState, type SourceRecord, WindowRecord } from "./window-record.ts";
