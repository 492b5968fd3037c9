/** One of the demo's worker processes: ten messages at a time, a poison message always fails. */
import { setTimeout as delay } from "node:timers/promises";
import { connect } from "@kafkaproxy/client";

/** What a worker process tells the demo. */
export interface Processed {
  readonly n: number;
  readonly msgId: string;
  readonly attempt: number;
  readonly outcome: "processed" | "failed";
}

interface Order {
  readonly n: number;
  readonly poison: boolean;
}

const proxy = await connect();
const worker = proxy.work(
  async (message) => {
    const { n, poison } = message.json<Order>();
    await delay(10 + (n % 40));
    const { msgId, attempt } = message;
    process.send?.({
      n,
      msgId,
      attempt,
      outcome: poison ? "failed" : "processed",
    } satisfies Processed);
    if (poison) throw new Error(`order ${n} can't be charged`);
  },
  { concurrency: 10 },
);

// Nobody to tell any more.
process.once("disconnect", () => process.exit(1));
process.once("SIGTERM", () => {
  void worker
    .drain()
    .then(() => proxy.close())
    .then(() => process.exit(0));
});
