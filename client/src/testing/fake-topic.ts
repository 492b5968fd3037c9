import type { FakeSession } from "./fake-proxy.ts";

export interface FakeRecord {
  readonly partition: number;
  readonly offset: number;
  readonly value: Buffer;
  attempt: number;
  state: "ready" | "leased" | "settled";
  /** A commit has made it settled for whoever has the partition. */
  durable: boolean;
  holder: FakeSession | undefined;
  leaseUntil: number;
}

/** A topic that several fake proxies serve, one after the other. */
export class FakeTopic {
  readonly records: FakeRecord[] = [];
  readonly rejected: { readonly offset: number; readonly reason: string }[] = [];
  readonly nacked: {
    readonly offset: number;
    readonly reason: string;
    readonly delayMs: number;
  }[] = [];
  /** How often each record was delivered, by `partition:offset`. */
  readonly deliveries = new Map<string, number>();
  /** The group's, as its members know it. */
  generation = 1;

  /** As a proxy knows it that hears nothing more of it. */
  copy(): FakeTopic {
    const copy = new FakeTopic();
    copy.records.push(...this.records.map((record) => ({ ...record })));
    copy.generation = this.generation;
    return copy;
  }

  produce(partition: number, count: number, value = (offset: number) => `${offset}`): void {
    const next = this.records.filter((record) => record.partition === partition).length;
    for (let offset = next; offset < next + count; offset++) {
      this.records.push({
        partition,
        offset,
        value: Buffer.from(value(offset)),
        attempt: 0,
        state: "ready",
        durable: false,
        holder: undefined,
        leaseUntil: 0,
      });
    }
  }

  find({ partition, offset }: { partition: number; offset: number }): FakeRecord | undefined {
    return this.records.find(
      (record) => record.partition === partition && record.offset === offset,
    );
  }

  get unsettled(): number {
    return this.records.filter(({ state }) => state !== "settled").length;
  }

  get mostDeliveries(): number {
    return Math.max(0, ...this.deliveries.values());
  }
}

/** Names a record of the topic. */
export const keyOf = ({ partition, offset }: { partition: number; offset: number }) =>
  `${partition}:${offset}`;
