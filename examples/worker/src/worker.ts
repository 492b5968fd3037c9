/**
 * A complete worker: takes orders one by one, and ends well when it is told to.
 * What it connects to comes from the KAFKAPROXY_* environment; see README.md.
 */
import { connect, type Message } from "@kafkaproxy/client";

interface Order {
  readonly id: string;
  readonly amount: number;
}

/** Your work goes here. Returning means done; throwing means that the message is delivered again, later. */
async function handle(message: Message, { signal }: { signal: AbortSignal }): Promise<void> {
  let order: Order;
  try {
    order = message.json<Order>();
  } catch {
    // It will not become readable by trying again: straight to the dead-letter topic, by its msgId.
    message.reject("not JSON");
    return;
  }
  // Give `signal` to what you wait for: it aborts when somebody else may have the message.
  await charge(order, signal);
  log("charged", { order: order.id, msgId: message.msgId, delivery: message.attempt });
}

/** Stands for a call to another service. Deliveries can repeat, so such a call needs a key like the order's id. */
async function charge(order: Order, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise((resolve) => setTimeout(resolve, order.amount % 50));
}

function log(event: string, fields: object = {}): void {
  console.log(JSON.stringify({ time: new Date().toISOString(), event, ...fields }));
}

const proxy = await connect();
proxy.on("state", ({ state }) => log("state", { state }));
proxy.on("leaseLost", ({ message, reason }) => log("lease lost", { msgId: message.msgId, reason }));
proxy.on("error", ({ code, message }) => log("refused", { code, message }));

const concurrency = Number(process.env["CONCURRENCY"] ?? 10);
const worker = proxy.work(handle, { concurrency });
log("working", { concurrency, proxies: proxy.proxies.length });

// Kubernetes sends SIGTERM, then waits (30 s by default) before it kills: a little less is for us.
const timeoutMs = 25_000;
for (const name of ["SIGTERM", "SIGINT"] as const) {
  process.once(name, () => {
    log("draining", { inFlight: worker.inFlight });
    void proxy.close({ timeoutMs });
  });
}

await worker.finished;
log("drained", { ...worker.stats });
