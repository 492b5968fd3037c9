import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Harness, record } from "./test-harness.ts";
import type { SourceRecord } from "./types.ts";

const partitions = 6;
const limits = { maxMessages: 40, maxBytes: 20_000 };
const largest = 12_000;
/** What a delivery takes beside its value, and more. */
const overhead = 100;

const step = fc.record({
  op: fc.constantFrom("gain", "gain", "give up", "write", "write", "write", "ack", "ack", "commit"),
  partition: fc.nat(partitions - 1),
  bytes: fc.oneof(fc.nat(200), fc.nat(3_000), fc.nat(largest)),
  count: fc.nat(20),
});

/** One proxy, a log for each partition, and a source that fetches what dispatch lets it. */
class Model {
  readonly h = new Harness({ queue: limits });
  readonly #logs: SourceRecord[][] = Array.from({ length: partitions }, () => []);
  readonly #positions = new Map<number, number>();
  readonly #closed = new Set<number>();
  readonly #held: { partition: number; offset: number }[] = [];

  constructor() {
    this.h.open("a");
  }

  run({
    op,
    partition,
    bytes,
    count,
  }: typeof step extends fc.Arbitrary<infer S> ? S : never): void {
    const { h } = this;
    const owned = this.#positions.has(partition);
    this.#hear();
    if (op === "gain" && !owned) {
      h.assign(partition);
      this.#positions.set(partition, 0);
      this.#closed.delete(partition);
    } else if (op === "give up" && owned) {
      h.dispatch.lose(h.now, partition);
      this.#positions.delete(partition);
    } else if (op === "write") {
      const log = this.#logs[partition];
      for (let left = count; left > 0; left -= 1) log?.push(record(log.length, bytes));
    } else if (op === "ack") this.#ack(count);
    else if (op === "commit") h.commit();
    this.fetch();
  }

  fetch(): void {
    const { h } = this;
    for (const [partition, position] of this.#positions) {
      this.#hear();
      const records = (this.#logs[partition] ?? []).slice(position);
      if (this.#closed.has(partition) || records.length === 0) continue;
      const taken = h.dispatch.admit(h.now, partition, records, position + records.length);
      this.#positions.set(partition, position + taken);
      const { windowBytes } = h.dispatch;
      const most = limits.maxBytes + largest + overhead;
      assert.ok(windowBytes <= most, `${windowBytes} bytes in the windows`);
      const messages = h.dispatch
        .partitions(h.now)
        .reduce((sum, { ready, inFlight }) => sum + ready + inFlight, 0);
      assert.ok(messages <= limits.maxMessages + 1, `${messages} records in the windows`);
    }
  }

  /** What dispatch says of a partition is about its present owner: heard before that changes. */
  #hear(): void {
    for (const [changed, open] of this.h.intake.splice(0)) {
      if (open) this.#closed.delete(changed);
      else this.#closed.add(changed);
    }
  }

  #ack(count: number): void {
    this.#held.push(...this.h.pull("a"));
    for (const { partition, offset } of this.#held.splice(0, count)) {
      this.h.ack("a", offset, offset, partition);
    }
  }

  /** Workers take all that comes: everything in the logs of what is owned is done in the end. */
  finish(): void {
    const { h } = this;
    for (let round = 0; round < 10_000; round += 1) {
      this.#ack(1_000);
      h.advance(100);
      h.commit();
      this.fetch();
      const done = h.dispatch
        .partitions(h.now)
        .every(({ partition, watermark }) => watermark === this.#logs[partition]?.length);
      if (done) return;
    }
    assert.fail(`something stopped: ${JSON.stringify(h.dispatch.partitions(h.now))}`);
  }
}

test("bounded memory: the windows hold their limits and one record at most, and none stands still for ever", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 120 }), (steps) => {
      const model = new Model();
      for (const each of steps) model.run(each);
      model.finish();
    }),
    { numRuns: 200 },
  );
});
