import { formatMsgId } from "@kafkaproxy/wire";
import type { Partition } from "./partition.ts";
import type { PartitionStatus } from "./types.ts";

/** For people. Looks at every unsettled record of the partition. */
export function statusOf(now: number, topic: string, partition: Partition): PartitionStatus {
  const { window } = partition;
  const counts = { delayed: 0, inFlight: 0, dying: 0 };
  window.forEach(({ state }) => {
    if (state === "leased") counts.inFlight += 1;
    else if (state === "dying") counts.dying += 1;
    else if (state === "delayed" || state === "uncounted") counts.delayed += 1;
  });
  const { first } = window;
  return {
    partition: partition.number,
    watermark: window.watermark,
    next: window.next,
    committed: partition.committed,
    ready: partition.ready,
    ...counts,
    settledAboveWatermark: window.next - window.watermark - window.size,
    windowBytes: window.bytes,
    uncovered: partition.uncovered,
    ...(first !== undefined && {
      oldestUnsettled: {
        msgId: formatMsgId({
          topic: topic,
          partition: partition.number,
          offset: first.offset,
        }),
        state: first.state,
        ageMs: now - first.admittedAt,
        deliveries: first.deliveries,
      },
    }),
  };
}
