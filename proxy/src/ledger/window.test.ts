import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyHeaders } from "@kafkaproxy/wire";
import * as fc from "fast-check";
import { describe } from "./describe.ts";
import { maxMetadataChars } from "./metadata-room.ts";
import { decodeMetadata, encodeMetadata } from "./snapshot.ts";
import { Window } from "./window.ts";
import type { SourceRecord } from "./window-record.ts";

function source(offset: number): SourceRecord {
  return { offset, timestamp: 0, key: null, value: new Uint8Array(3), headers: emptyHeaders };
}

const begin = 100;
const step = fc.record({
  op: fc.constantFrom("fetch", "fetch", "settle", "settle", "expect", "settleAhead", "commit"),
  at: fc.nat(200),
  length: fc.nat(6),
});

test("the watermark is the first unsettled record, whatever the order of fetches and settlements", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const totals = { messages: 7, bytes: 70 };
      const window = new Window(0, begin, totals);
      const open = new Set<number>();
      const ahead = new Set<number>();
      const expected = new Set<number>();
      let next = begin;
      const log = new Set<number>();
      for (const { op, at, length } of steps) {
        const offset = begin + at;
        if (op === "fetch") {
          // Every third offset is a gap.
          for (const end = next + length; next < end; next += 1) {
            if (next % 3 === 0) continue;
            const absent = window.advance(next).map((record) => record.offset);
            assert.deepEqual(
              absent,
              [...expected].filter((other) => other < next).sort((a, b) => a - b),
            );
            for (const other of absent) expected.delete(other);
            const record = window.admit(0, source(next), 10);
            log.add(next);
            assert.equal(record === undefined, ahead.has(next));
            expected.delete(next);
            if (record !== undefined) open.add(next);
          }
          for (const { offset: other } of window.advance(next)) {
            assert.ok(expected.delete(other) && other % 3 === 0);
          }
          for (const other of ahead) if (other < next) ahead.delete(other);
        } else if (op === "settle") {
          const [...all] = open;
          const pick = all[at % Math.max(1, all.length)];
          const record = pick === undefined ? undefined : window.get(pick);
          if (pick === undefined || record === undefined) continue;
          window.settle(record);
          open.delete(pick);
        } else if (offset >= next && op === "expect" && !ahead.has(offset)) {
          assert.equal(window.expect(offset)?.offset, offset);
          expected.add(offset);
        } else if (offset >= next && op === "settleAhead" && !expected.has(offset)) {
          window.settleAhead(offset);
          ahead.add(offset);
        } else if (op === "commit") {
          checkDescription(window, open, ahead, next);
        }
        assert.equal(window.watermark, Math.min(next, ...open));
        assert.equal(window.next, next);
        assert.equal(window.size, open.size);
        assert.equal(window.bytes, open.size * 10);
        assert.deepEqual(totals, { messages: 7 + open.size, bytes: 70 + open.size * 10 });
        assert.equal(window.settledTotal, log.size - open.size);
        const above = [...log].filter((other) => other >= window.watermark).length;
        assert.ok(window.settledFrom(window.watermark) >= above - open.size);
        assert.ok(window.settledFrom(window.watermark) <= window.settledTotal);
        for (let other = begin; other < next; other += 1) {
          assert.equal(window.isSettled(other), !open.has(other));
        }
      }
      window.leave();
      assert.deepEqual(totals, { messages: 7, bytes: 70 });
    }),
    { numRuns: 300 },
  );
});

/** What a snapshot says is settled above the watermark is exactly what is. */
function checkDescription(
  window: Window,
  open: ReadonlySet<number>,
  ahead: ReadonlySet<number>,
  next: number,
): void {
  const { watermark } = window;
  const { metadata } = encodeMetadata(
    watermark,
    describe(window, false, maxMetadataChars),
    () => false,
    maxMetadataChars,
  );
  const decoded = decodeMetadata(watermark, metadata);
  assert.ok("snapshot" in decoded);
  const { settled } = decoded.snapshot;
  for (let offset = watermark; offset < begin + 400; offset += 1) {
    const said = settled.some(([first, last]) => first <= offset && offset <= last);
    const is = offset < next ? !open.has(offset) : ahead.has(offset);
    assert.equal(said, is, `offset ${offset}`);
  }
}

test("a record known to be settled that is admitted last is described once", () => {
  const window = new Window(0, 0, { messages: 0, bytes: 0 });
  window.settleAhead(1);
  for (const offset of [0, 1]) {
    window.advance(offset);
    window.admit(0, source(offset), 10);
  }
  const described = describe(window, false, maxMetadataChars);
  assert.deepEqual(described.settled, [[1, 1]]);
  const { metadata } = encodeMetadata(0, described, () => false, maxMetadataChars);
  assert.ok("snapshot" in decodeMetadata(0, metadata));
});

test("a commit says so when it leaves out what is settled far behind a bitmap that begins late", () => {
  const window = new Window(0, 0, { messages: 0, bytes: 0 });
  for (let offset = 0; offset < 6_000; offset += 1) {
    window.advance(offset);
    const record = window.admit(0, source(offset), 10);
    const settled = offset === 5_000 || (offset > 1_000 && offset < 1_200 && offset % 2 === 1);
    if (settled && record !== undefined) window.settle(record);
  }
  const room = 64;
  const { metadata, complete, horizon } = encodeMetadata(
    0,
    describe(window, false, room),
    () => false,
    room,
  );
  const decoded = decodeMetadata(0, metadata);
  assert.ok("snapshot" in decoded);
  assert.equal(decoded.snapshot.settled.at(-1)?.[0], 1_199);
  assert.equal(complete, false);
  assert.ok(horizon !== undefined && horizon <= 5_000, `horizon ${horizon}`);
});

test("settled records are swept: a stuck one does not make the window grow", () => {
  const window = new Window(0, 0, { messages: 0, bytes: 0 });
  for (let offset = 0; offset < 200_000; offset += 1) {
    window.advance(offset);
    const record = window.admit(0, source(offset), 10);
    if (offset > 0 && record !== undefined) window.settle(record);
  }
  assert.equal(window.watermark, 0);
  let unsettled = 0;
  window.forEach(() => {
    unsettled += 1;
  });
  assert.equal(unsettled, 1);
  assert.deepEqual(describe(window, false, maxMetadataChars).settled, [[1, 199_999]]);
  assert.equal(window.settledFrom(0), 199_999);
});
