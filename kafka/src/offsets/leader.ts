import { backoffMs, pause } from "../connection/index.ts";
import type { KafkaConnection } from "../connection/index.ts";
import { KafkaError } from "../errors.ts";

/** How long a request follows a partition that moves from leader to leader. */
const defaultDeadlineMs = 30_000;

/**
 * `attempt` on the partition's leader, again with fresh metadata and backoff after a retriable
 * failure, until the deadline; then the last failure is thrown.
 */
export async function onLeader<T>(
  connection: KafkaConnection,
  topic: string,
  partition: number,
  attempt: (leader: number) => Promise<T>,
  deadlineMs = defaultDeadlineMs,
): Promise<T> {
  return await retried(
    connection,
    async () => await attempt(await connection.leader(topic, partition)),
    () => connection.forget(topic),
    deadlineMs,
  );
}

/** As `onLeader`, on the group's coordinator. */
export async function onCoordinator<T>(
  connection: KafkaConnection,
  groupId: string,
  attempt: (coordinator: number) => Promise<T>,
  deadlineMs = defaultDeadlineMs,
): Promise<T> {
  return await retried(
    connection,
    async () => await attempt(await connection.coordinator(groupId)),
    () => connection.forgetCoordinator(groupId),
    deadlineMs,
  );
}

/** `attempt` again with backoff after a retriable failure, `forget` in between. */
export async function retried<T>(
  connection: KafkaConnection,
  attempt: () => Promise<T>,
  forget: () => void,
  deadlineMs = defaultDeadlineMs,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (let tries = 0; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      forget();
      const waitMs = backoffMs(tries);
      const retriable = error instanceof KafkaError && error.retriable;
      if (!retriable || connection.closed || performance.now() + waitMs > deadline) throw error;
      connection.logger.debug({ error, tries }, "kafka: trying again");
      await pause(waitMs, connection.signal);
    }
  }
}
