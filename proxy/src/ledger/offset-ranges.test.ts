import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { OffsetRanges } from "./offset-ranges.ts";

test("behaves as a set of offsets, written as few ranges as can be", () => {
  const step = fc.record({
    op: fc.constantFrom("add", "dropBelow"),
    first: fc.nat(60),
    length: fc.nat(8),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ranges = new OffsetRanges();
      const model = new Set<number>();
      for (const { op, first, length } of steps) {
        if (op === "dropBelow") {
          ranges.dropBelow(first);
          for (const offset of model) if (offset < first) model.delete(offset);
          continue;
        }
        ranges.add(first, first + length);
        for (let offset = first; offset <= first + length; offset += 1) model.add(offset);
      }
      const listed = [...ranges];
      const offsets = listed.flatMap(([first, last]) =>
        Array.from({ length: last - first + 1 }, (_, at) => first + at),
      );
      assert.deepEqual(
        offsets,
        [...model].sort((a, b) => a - b),
      );
      for (const [at, [first]] of listed.entries()) {
        assert.ok(at === 0 || first > (listed[at - 1]?.[1] ?? 0) + 1, "adjacent ranges are one");
      }
      for (let offset = 0; offset < 75; offset += 1) {
        assert.equal(ranges.has(offset), model.has(offset));
        let missing = offset;
        while (model.has(missing)) missing += 1;
        assert.equal(ranges.firstMissing(offset), missing);
      }
    }),
    { numRuns: 500 },
  );
});

test("far ranges can be dropped whole", () => {
  const ranges = new OffsetRanges();
  ranges.add(5);
  ranges.add(9, 2 ** 52);
  ranges.dropBelow(Infinity);
  assert.equal(ranges.size, 0);
});
