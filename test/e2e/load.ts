// A steady stream of orders into a topic, and what the worker pods say that they have done of it.
import { setTimeout as sleep } from "node:timers/promises";
import type { KafkaCluster } from "../servers/index.ts";

/** Orders written in one go, and the pause between: about 500 a second. */
const batch = 100;
const pauseMs = 200;

export interface Load {
  readonly prefix: string;
  /** Orders written until now. */
  readonly count: number;
  /** Ends the stream; resolves to the ids of all its orders. */
  end(): Promise<ReadonlySet<string>>;
}

/** Orders with ids `prefix-0`, `prefix-1`, ... over `partitions` partitions, until `end()`. */
export function startLoad(
  kafka: KafkaCluster,
  topic: string,
  prefix: string,
  partitions: number,
): Load {
  let count = 0;
  const ending = new AbortController();
  const order = (n: number) => ({
    partition: n % partitions,
    value: JSON.stringify({ id: `${prefix}-${n}`, amount: 49 }),
  });
  const running = (async () => {
    while (!ending.signal.aborted) {
      await kafka.produce(
        topic,
        Array.from({ length: batch }, (_, n) => order(count + n)),
      );
      count += batch;
      await sleep(pauseMs);
    }
  })();
  return {
    prefix,
    get count() {
      return count;
    },
    end: async () => {
      ending.abort();
      await running;
      return new Set(Array.from({ length: count }, (_, n) => `${prefix}-${n}`));
    },
  };
}

/** The lines that say that an order was finished, by its id, out of the logs of examples/worker: each comes before its ack. */
export function finished(log: string): ReadonlyMap<string, readonly string[]> {
  const lines = new Map<string, string[]>();
  for (const line of log.split("\n")) {
    if (!line.includes('"charged"')) continue;
    const { order } = JSON.parse(line.slice(line.indexOf("{"))) as { order: string };
    const known = lines.get(order);
    if (known === undefined) lines.set(order, [line]);
    else known.push(line);
  }
  return lines;
}
