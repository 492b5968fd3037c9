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

test("the same bytes, none of them in the answer they came in, whatever is copied after them", () => {
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
        const sliced = records.map(({ key, value, headers }, offset) => ({
          offset,
          timestamp: offset * 2,
          key: slice(key),
          value: slice(value),
          headers: slice(headers) ?? Buffer.alloc(0),
        }));
        const copied = own.copy(partition, sliced);
        answer.fill(0xee);
        for (const [offset, { key, value, headers }] of records.entries()) {
          const record = copied[offset];
          assert.ok(record instanceof PreparedDelivery);
          const first = { partition, offset, attempt: 1, leaseMs, timestamp: offset * 2 };
          assert.deepEqual(partsOf(record), { ...first, key, value, headers });
          assert.ok(record.memory.buffer.byteLength <= 16 * 1024);
        }
      },
    ),
  );
});

test("a record without headers has bytes of its own, however large it is", () => {
  const answer = Buffer.alloc(1 << 20, 1);
  const value = answer.subarray(0, 1_000_000);
  const record = { offset: 0, timestamp: 0, key: null, value, headers: Buffer.from([0]) };
  const [copied] = new OwnBytes(leaseMs).copy(partition, [record]);
  assert.notEqual(copied?.value?.buffer, answer.buffer);
  assert.deepEqual(copied?.value, value);
});

test("a time that no frame can say is kept, with bytes of their own", () => {
  const answer = Buffer.alloc(1 << 20);
  const timestamp = -(2 ** 60);
  const parts = { key: null, value: answer.subarray(0, 2_000), headers: answer.subarray(0, 1) };
  const record = { offset: 0, timestamp, ...parts };
  const [copied] = new OwnBytes(leaseMs).copy(partition, [record]);
  assert.deepEqual(copied, record);
  assert.notEqual(copied?.value?.buffer, answer.buffer);
});
