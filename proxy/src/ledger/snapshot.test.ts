import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import * as fc from "fast-check";
import { leastMetadataChars, maxMetadataChars } from "./metadata-room.ts";
import { decodeMetadata, decodeOverflow, encodeMetadata, encodeOverflow } from "./snapshot.ts";
import type { Run, Snapshot } from "./snapshot-content.ts";

/** Ascending disjoint runs at or above `watermark`, from gaps and lengths. */
function runs(watermark: number, steps: readonly (readonly [number, number])[]): Run[] {
  let at = watermark;
  return steps.map(([gap, length]) => {
    const first = at + gap + 1;
    at = first + length + 1;
    return [first, at - 1] as const;
  });
}

function contents(maxEntries: number): fc.Arbitrary<{ watermark: number; snapshot: Snapshot }> {
  const steps = (most: number): fc.Arbitrary<[number, number][]> =>
    fc.array(
      fc.tuple(fc.oneof(fc.nat(3), fc.nat(100_000)), fc.oneof(fc.nat(3), fc.nat(1_000_000))),
      { maxLength: maxEntries, minLength: most },
    );
  return fc
    .record({
      watermark: fc.oneof(fc.nat(1000), fc.nat(2 ** 31), fc.constant(2 ** 45)),
      handedOver: fc.boolean(),
      counts: fc.array(fc.tuple(fc.oneof(fc.nat(3), fc.nat(100_000)), fc.nat(40), fc.boolean()), {
        maxLength: maxEntries,
      }),
      dying: fc.array(
        fc.record({
          deliveries: fc.nat(40),
          rejected: fc.boolean(),
          runs: fc.array(fc.tuple(fc.nat(50), fc.nat(20)), {
            minLength: 1,
            maxLength: maxEntries,
          }),
        }),
        { maxLength: 6 },
      ),
      out: fc.array(fc.tuple(fc.nat(50), fc.nat(20)), { maxLength: maxEntries }),
      settled: steps(0),
    })
    .map(({ watermark, handedOver, counts, dying, out, settled }) => {
      let at = watermark - 1;
      return {
        watermark,
        snapshot: {
          handedOver,
          counts: counts.map(([distance, deliveries, isOut]) => {
            at += distance + 1;
            return { offset: at, deliveries: deliveries + 1, out: isOut };
          }),
          dying: dying.map((group) => ({ ...group, runs: runs(watermark, group.runs) })),
          out: runs(watermark, out),
          settled: runs(watermark, settled),
        },
      };
    });
}

function offsetsOf(list: readonly Run[]): number[] {
  return list.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, at) => first + at),
  );
}

test("what fits comes back as it was", () => {
  fc.assert(
    fc.property(contents(20), ({ watermark, snapshot }) => {
      const { metadata, complete, horizon, countsLeftOut } = encodeMetadata(
        watermark,
        snapshot,
        () => false,
        maxMetadataChars,
      );
      assert.ok(complete);
      assert.equal(horizon, undefined);
      assert.equal(countsLeftOut.size, 0);
      assert.deepEqual(decodeMetadata(watermark, metadata), { snapshot, complete: true });
      assert.deepEqual(decodeOverflow(watermark, encodeOverflow(watermark, snapshot)), {
        snapshot,
        complete: true,
      });
    }),
    { numRuns: 500 },
  );
});

test("what does not fit is left out from the far end, and said so", () => {
  fc.assert(
    fc.property(contents(2_500), fc.nat(10), ({ watermark, snapshot }, sticky) => {
      const mustKeep = (index: number): boolean => index % 11 === sticky && index < 600;
      const encoded = encodeMetadata(watermark, snapshot, mustKeep, maxMetadataChars);
      assert.ok(encoded.metadata.length <= maxMetadataChars);
      const decoded = decodeMetadata(watermark, encoded.metadata);
      assert.ok("snapshot" in decoded);
      assert.equal(decoded.complete, encoded.complete);
      const back = decoded.snapshot;
      assert.deepEqual(
        back.counts,
        snapshot.counts.filter((_, index) => !encoded.countsLeftOut.has(index)),
      );
      for (const index of encoded.countsLeftOut) assert.ok(!mustKeep(index), "a place is kept");
      assert.deepEqual(back.out, snapshot.out.slice(0, back.out.length));
      for (const [index, { runs: written }] of back.dying.entries()) {
        const died = snapshot.dying[index]?.runs ?? [];
        assert.deepEqual(offsetsOf(written), offsetsOf(died).slice(0, offsetsOf(written).length));
      }
      const horizon = encoded.horizon ?? Infinity;
      const below = (list: readonly Run[]): Run[] =>
        list
          .filter(([first]) => first < horizon)
          .map(([first, last]) => [first, Math.min(last, horizon - 1)]);
      assert.deepEqual(below(back.settled), below(snapshot.settled));
      assert.deepEqual(below(back.settled), back.settled);
      assert.deepEqual(decodeOverflow(watermark, encodeOverflow(watermark, snapshot)), {
        snapshot,
        complete: true,
      });
    }),
    { numRuns: 60 },
  );
});

test("whatever the room, it is not exceeded, and the first record's count has a place when no other has a claim", () => {
  fc.assert(
    fc.property(
      contents(300),
      fc.integer({ min: leastMetadataChars, max: 400 }),
      ({ watermark, snapshot }, room) => {
        const first = { offset: watermark, deliveries: 40, out: false };
        const counts = [first, ...snapshot.counts.filter(({ offset }) => offset > watermark)];
        const encoded = encodeMetadata(watermark, { ...snapshot, counts }, () => false, room);
        assert.ok(encoded.metadata.length <= room);
        const decoded = decodeMetadata(watermark, encoded.metadata);
        assert.ok("snapshot" in decoded);
        assert.deepEqual(decoded.snapshot.counts[0], first);
        const claimed = encodeMetadata(watermark, { ...snapshot, counts }, () => true, room);
        assert.ok(claimed.metadata.length <= room, "what has a claim goes as well");
        assert.ok("snapshot" in decodeMetadata(watermark, claimed.metadata));
      },
    ),
    { numRuns: 200 },
  );
});

test("one long settled run has its place whatever else there is", () => {
  const counts = Array.from({ length: 4_000 }, (_, at) => ({
    offset: at * 300,
    deliveries: 2,
    out: true,
  }));
  const out = runs(
    0,
    Array.from({ length: 4_000 }, () => [1, 1] as const),
  );
  const settled: Run[] = [[5_000_000, 900_000_000]];
  const encoded = encodeMetadata(
    0,
    { handedOver: false, counts, dying: [], out, settled },
    () => false,
    maxMetadataChars,
  );
  assert.equal(encoded.horizon, undefined);
  assert.equal(encoded.complete, false);
});

test("every other record settled is written as a bitmap, which reaches farther", () => {
  const settled = runs(
    0,
    Array.from({ length: 20_000 }, () => [0, 0] as const),
  );
  const { horizon } = encodeMetadata(
    0,
    { handedOver: false, counts: [], dying: [], out: [], settled },
    () => false,
    maxMetadataChars,
  );
  assert.ok(horizon !== undefined && horizon > 20_000, `horizon ${horizon}`);
});

test("another watermark, a changed character or foreign words are told, never taken", () => {
  const snapshot: Snapshot = {
    handedOver: true,
    counts: [{ offset: 105, deliveries: 3, out: false }],
    dying: [{ deliveries: 5, rejected: false, runs: [[106, 107]] }],
    out: [[110, 120]],
    settled: [[130, 140]],
  };
  const { metadata } = encodeMetadata(100, snapshot, () => true, maxMetadataChars);
  assert.ok("problem" in decodeMetadata(101, metadata));
  for (const foreign of ["", "hello, world", "AQ", "AA", '{"v":1}', "A".repeat(4096)]) {
    assert.ok("problem" in decodeMetadata(100, foreign), foreign);
  }
  fc.assert(
    fc.property(
      fc.nat(metadata.length - 1),
      fc.base64String({ minLength: 1, maxLength: 4 }),
      (at, junk) => {
        const changed = metadata.slice(0, at) + junk + metadata.slice(at + junk.length);
        const decoded = decodeMetadata(100, changed);
        if ("snapshot" in decoded) assert.deepEqual(decoded, { snapshot, complete: true });
      },
    ),
    { numRuns: 2_000 },
  );
});

test("bytes of any kind with a right checksum give a snapshot or a problem, in bounded time", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const decoded = decodeOverflow(7, withChecksum(bytes, 7));
      assert.ok("snapshot" in decoded || decoded.problem.length > 0);
    }),
    { numRuns: 3_000 },
  );
});

/** A frame of our own making around hostile bytes: taken from an empty snapshot's checksum rule. */
function withChecksum(bytes: Uint8Array, watermark: number): Uint8Array {
  const body = Buffer.concat([Buffer.from([2]), bytes]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body, crc32(String(watermark))));
  return Buffer.concat([body, sum]);
}
