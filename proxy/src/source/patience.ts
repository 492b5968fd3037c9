import type { ZooKeeperSession } from "@kafkaproxy/zookeeper";

/** A partition stands still while it moves: ZooKeeper has this long to help, and no longer. */
const patienceMs = 2_000;

/**
 * Runs `work`, which asks ZooKeeper, unless it is known to be away. A session that has just begun is waited for:
 * a proxy that starts may have its partitions before its session.
 * @throws what `work` throws, and an Error when it takes too long.
 */
export async function patiently<T>(session: ZooKeeperSession, work: () => Promise<T>): Promise<T> {
  if (session.state === "suspended") throw new Error("ZooKeeper is away");
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Error(`ZooKeeper did not answer within ${patienceMs} ms`));
  }, patienceMs);
  try {
    return await Promise.race([work(), promise]);
  } finally {
    clearTimeout(timer);
  }
}
