export { onCoordinator, onLeader, retried } from "./leader.ts";
export { GroupOffsets, logOffsets, offsetsForTimestamp } from "./offsets.ts";
export type { CommittedOffset, LogOffsets, PartitionLag } from "./offsets.ts";
export { safeOffset } from "./safe-offset.ts";
