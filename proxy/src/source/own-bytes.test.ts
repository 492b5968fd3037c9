import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { PreparedDelivery } from "@kafkaproxy/wire";
import { OwnBytes } from "./own-bytes.ts";

const partition = 3;
const leaseMs = 3_000;

/** What stands in its memory. */
function partsOf(record: PreparedDelivery): object {
  const { offset, attempt, timestamp, key, value, headers } = record;
  return { partition: record.partition, offset, attempt, leaseMs, timestamp, key, value, headers };
}

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
        const own = new OwnBytes(leaseMs);
        const taken = records.map(({ key, value, headers }, offset) =>
          own.take(partition, {
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
          assert.ok(record instanceof PreparedDelivery);
          const first = { partition, offset, attempt: 1, leaseMs, timestamp: offset * 2 };
          assert.deepEqual(partsOf(record), { ...first, key, value, headers });
          assert.ok(record.memory.buffer.byteLength <= 16 * 1024);
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
  assert.equal(new OwnBytes(leaseMs).take(partition, record), record);
});

test("a record without headers is measured by what its value is a slice of", () => {
  const answer = Buffer.allocUnsafeSlow(1 << 20);
  const value = answer.subarray(0, 5_000);
  const record = { offset: 0, timestamp: 0, key: null, value, headers: Buffer.from([0]) };
  const taken = new OwnBytes(leaseMs).take(partition, record);
  assert.ok((taken.value?.buffer.byteLength ?? 0) < 6_000);
  assert.deepEqual(taken.value, value);
});

test("a time that no frame can say is kept, with bytes of their own", () => {
  const answer = Buffer.alloc(1 << 20);
  const timestamp = -(2 ** 60);
  const parts = { key: null, value: answer.subarray(0, 2_000), headers: answer.subarray(0, 1) };
  const taken = new OwnBytes(leaseMs).take(partition, { offset: 0, timestamp, ...parts });
  assert.deepEqual(taken, { offset: 0, timestamp, ...parts });
  assert.notEqual(taken.value?.buffer, answer.buffer);
});
