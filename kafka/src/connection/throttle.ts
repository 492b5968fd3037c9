import type { Connection } from "./kafkajs.ts";

/**
 * kafkajs asks every millisecond whether a throttled request may go, also when nothing waits (8.7 %
 * of a core measured, and a negative time-out). Ours asks when something waits, and when it may go.
 */
export function stopIdleThrottleCheck(connection: Connection): void {
  const queue = connection.requestQueue;
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length === 0 || queue.throttleCheckTimeoutId !== null) return;
    const waitMs = Math.max(queue.throttledUntil - Date.now() + 1, 1);
    queue.throttleCheckTimeoutId = setTimeout(() => {
      queue.throttleCheckTimeoutId = null;
      queue.checkPendingRequests();
    }, waitMs);
  };
}
