import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { decodeBatches } from "./decode.ts";
import { attribute } from "./layout.ts";
import { batch, marker, record, seen, transactional } from "./test-batch.ts";

/** What producers do one after the other, in one log. */
interface Step {
  readonly producer: number;
  readonly does: "transactional" | "plain" | "commit" | "abort";
  readonly records: number;
}

interface ModelLog {
  readonly batches: { readonly lastOffset: number; readonly data: Buffer }[];
  /** As a broker indexes them. */
  readonly aborted: { producerId: bigint; firstOffset: number; markerOffset: number }[];
  readonly visible: number[];
}

/** A log up to its last stable offset; `visible` is what a reader of committed records sees. */
function modelLog(steps: readonly Step[]): ModelLog {
  const log: ModelLog = { batches: [], aborted: [], visible: [] };
  const open = new Map<number, number[]>();
  const ending = [1, 2, 3].map((producer): Step => ({ producer, does: "commit", records: 0 }));
  let next = 0;
  for (const { producer, does, records } of [...steps, ...ending]) {
    const producerId = BigInt(producer);
    const offsets = Array.from({ length: records }, (_, i) => next + i);
    const values = offsets.map(String);
    const mine = open.get(producer);
    let data: Buffer;
    if (does === "plain") {
      data = batch(values, { baseOffset: next, producerId });
      log.visible.push(...offsets);
    } else if (does === "transactional") {
      data = transactional(next, producerId, ...values);
      open.set(producer, [...(mine ?? []), ...offsets]);
    } else if (mine === undefined) {
      continue;
    } else {
      data = marker(next, producerId);
      open.delete(producer);
      if (does === "commit") log.visible.push(...mine);
      else log.aborted.push({ producerId, firstOffset: mine[0]!, markerOffset: next });
    }
    next += does === "plain" || does === "transactional" ? records : 1;
    log.batches.push({ lastOffset: next - 1, data });
  }
  log.visible.sort((a, b) => a - b);
  return log;
}

describe("aborted transactions", () => {
  it("two before a good one, of one producer", () => {
    const log = [
      transactional(0, 5n, "x", "x"),
      marker(2, 5n),
      transactional(3, 5n, "x"),
      marker(4, 5n),
      transactional(5, 5n, "good"),
      marker(6, 5n),
    ];
    const abortedTransactions = [
      { producerId: 5n, firstOffset: 3 },
      { producerId: 5n, firstOffset: 0 },
    ];
    assert.deepEqual(seen(log, { abortedTransactions }), ["5 good"]);
    const { nextOffset } = decodeBatches(Buffer.concat(log), {
      fetchOffset: 0,
      abortedTransactions,
    });
    assert.equal(nextOffset, 7);
  });

  it("of several producers, with good and plain records between; a key of int32 0 is no marker", () => {
    const zero = { ...record("zero"), key: Buffer.alloc(4) };
    const log = [
      transactional(0, 1n, "x"),
      transactional(1, 2n, "good"),
      batch([zero], { baseOffset: 2, producerId: 1n, attributes: attribute.transactional }),
      batch(["plain"], { baseOffset: 3 }),
      batch(["idempotent"], { baseOffset: 4, producerId: 9n }),
      marker(5, 2n),
      transactional(6, 1n, "x"),
      marker(7, 1n),
      transactional(8, 1n, "good"),
    ];
    const abortedTransactions = [{ producerId: 1n, firstOffset: 0 }];
    const expected = ["1 good", "3 plain", "4 idempotent", "8 good"];
    assert.deepEqual(seen(log, { abortedTransactions }), expected);
  });

  it("an emptied marker ends its range", () => {
    const log = [transactional(0, 1n, "x"), marker(1, 1n, true), transactional(2, 1n, "good")];
    const abortedTransactions = [{ producerId: 1n, firstOffset: 0 }];
    assert.deepEqual(seen(log, { abortedTransactions }), ["2 good"]);
  });

  it("one that began before the data", () => {
    const log = [transactional(10, 1n, "x"), marker(11, 1n), transactional(12, 1n, "good")];
    const abortedTransactions = [{ producerId: 1n, firstOffset: 4 }];
    assert.deepEqual(seen(log, { abortedTransactions, fetchOffset: 10 }), ["12 good"]);
  });

  it("any log of three producers, read from any offset, is as the broker's model of it", () => {
    const step = fc.record({
      producer: fc.integer({ min: 1, max: 3 }),
      does: fc.constantFrom("transactional", "transactional", "plain", "commit", "abort"),
      records: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.nat(), (steps, where) => {
        const { batches, aborted, visible } = modelLog(steps);
        const end = (batches.at(-1)?.lastOffset ?? -1) + 1;
        const fetchOffset = end === 0 ? 0 : where % end;
        const data = batches.filter(({ lastOffset }) => lastOffset >= fetchOffset);
        const decoded = decodeBatches(Buffer.concat(data.map((one) => one.data)), {
          fetchOffset,
          abortedTransactions: aborted.filter(({ markerOffset }) => markerOffset >= fetchOffset),
        });
        assert.deepEqual(
          decoded.records.map(({ offset }) => offset),
          visible.filter((offset) => offset >= fetchOffset),
        );
        assert.equal(decoded.nextOffset, end);
      }),
      { numRuns: 500 },
    );
  });

  it("without a list every transaction is good", () => {
    const log = [transactional(0, 1n, "a"), marker(1, 1n)];
    assert.deepEqual(seen(log), ["0 a"]);
  });
});
