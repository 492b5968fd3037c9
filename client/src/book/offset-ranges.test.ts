import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { OffsetRanges } from "./offset-ranges.ts";

const operation = fc.record({
  add: fc.boolean(),
  first: fc.nat({ max: 60 }),
  length: fc.integer({ min: 1, max: 12 }),
});

test("is the set of what was added and not removed, in as few ranges as possible", () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const ranges = new OffsetRanges();
      const model = new Set<number>();
      for (const { add, first, length } of operations) {
        const last = first + length - 1;
        if (add) ranges.add(first, last);
        else ranges.remove(first, last);
        for (let offset = first; offset <= last; offset++) {
          if (add) model.add(offset);
          else model.delete(offset);
        }
      }
      const seen: number[] = [];
      let before = -2;
      ranges.forEach((first, last) => {
        assert.ok(first > before + 1, "ranges are sorted and do not touch");
        for (let offset = first; offset <= last; offset++) seen.push(offset);
        before = last;
      });
      assert.deepEqual(
        seen,
        [...model].sort((a, b) => a - b),
      );
      for (let offset = 0; offset < 75; offset++) {
        assert.equal(ranges.has(offset), model.has(offset));
        const any = model.has(offset) || model.has(offset + 1) || model.has(offset + 2);
        assert.equal(ranges.hasAnyOf(offset, offset + 2), any);
      }
    }),
    { numRuns: 2_000 },
  );
});
