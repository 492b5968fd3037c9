import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { OwnBytes } from "./own-bytes.ts";

const bytes = (max: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));

test("the same bytes, none of them in the answer they came in, whatever is taken after them", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          key: fc.option(bytes(50)),
          value: fc.option(bytes(6_000)),
          headers: bytes(50),
        }),
        { maxLength: 40 },
      ),
      (records) => {
        const answer = Buffer.alloc(1 << 20);
        const slice = (part: Buffer | null): Buffer | null => {
          if (part === null) return null;
          const start = used;
          used += part.copy(answer, start);
          return answer.subarray(start, used);
        };
        let used = 0;
        const own = new OwnBytes();
        const taken = records.map(({ key, value, headers }, offset) =>
          own.take({
            offset,
            timestamp: offset * 2,
            key: slice(key),
            value: slice(value),
            headers: slice(headers) ?? Buffer.alloc(0),
          }),
        );
        answer.fill(0xee);
        for (const [offset, { key, value, headers }] of records.entries()) {
          const record = taken[offset];
          assert.deepEqual(record, { offset, timestamp: offset * 2, key, value, headers });
          assert.ok((record?.headers.buffer.byteLength ?? 0) <= 16 * 1024);
        }
      },
    ),
  );
});

test("a record that is most of its answer stays as it is", () => {
  const answer = Buffer.allocUnsafeSlow(1_000);
  const record = {
    offset: 0,
    timestamp: 0,
    key: null,
    value: answer.subarray(0, 700),
    headers: answer.subarray(700, 701),
  };
  assert.equal(new OwnBytes().take(record), record);
});
