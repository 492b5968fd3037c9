import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBatches, decodeHeaders, encodeBatch } from "@kafkaproxy/kafka";
import * as fc from "fast-check";
import type { DeadRecord } from "../dispatch/index.ts";
import { letterForms, letterHeaders, writeLetter } from "./letter.ts";
import { readLetter } from "./read-letter.ts";

/** As Kafka writes a length: zigzag, seven bits a byte; -1 stands for null. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128);
  bytes.push(rest);
  return bytes;
}

interface Header {
  readonly name: Uint8Array;
  readonly value: Uint8Array | null;
}

function entries(headers: readonly Header[]): Buffer {
  return Buffer.from(
    headers.flatMap(({ name, value }) => [
      ...varint(name.length),
      ...name,
      ...varint(value?.length ?? -1),
      ...(value ?? []),
    ]),
  );
}

const bytes = fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.uint8Array({ maxLength: 400 }));
const text = (words: string) => Uint8Array.from(Buffer.from(words));
/** Few, so that names repeat; ours too, of a record that died before; and what is not UTF-8. */
const anyName = fc.oneof(
  fc.constantFrom("", "a", "constructor", letterHeaders.msgId, letterHeaders.pointer).map(text),
  fc.uint8Array({ maxLength: 80 }),
);
const anyHeaders = fc.oneof(
  fc.array(fc.record({ name: anyName, value: fc.option(bytes) }), { maxLength: 5 }),
  fc.array(fc.record({ name: anyName, value: fc.option(bytes) }), { maxLength: 150 }),
);
const anyDead = fc.record({
  timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: -1, max: 2 ** 42 })),
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: anyHeaders,
  deliveries: fc.nat(100),
  message: fc.string({ unit: "binary" }),
  worker: fc.string(),
  firstDeliveredAt: fc.option(fc.nat(), { nil: undefined }),
});
const anyBatch = fc.array(anyDead, { minLength: 1, maxLength: 6 });

function ours(form: string, delivered: boolean): string[] {
  const { firstDeliveredAt, pointer, ...always } = letterHeaders;
  const names: string[] = Object.values(always).filter(
    (name) => name !== letterHeaders.deadAt && name !== letterHeaders.worker,
  );
  if (delivered) names.push(firstDeliveredAt);
  names.push(letterHeaders.deadAt, letterHeaders.worker);
  return form === "whole" ? names : [...names, pointer];
}

test("a letter in the log is the record byte for byte, with our headers behind its own", () => {
  fc.assert(
    fc.property(
      anyBatch,
      fc.constantFrom(...letterForms),
      fc.constantFrom("none", "zstd"),
      (deaths, form, compression) => {
        const letters = deaths.map((death, offset) => {
          const { timestamp, key, value, headers } = death;
          const block = Buffer.concat([Buffer.from(varint(headers.length)), entries(headers)]);
          const dead: DeadRecord = {
            ...death,
            partition: 3,
            record: { offset, timestamp, key, value, headers: block },
            disposition: "rejected",
          };
          const context = { topic: "orders", consumerGroup: "billing", deadAt: 5 };
          const { firstDeliveredAt } = death;
          return writeLetter(dead, { ...context, firstDeliveredAt }, form);
        });
        const log = encodeBatch(letters, { compression });
        const { records } = decodeBatches(log, { fetchOffset: 0 });
        assert.equal(records.length, deaths.length);
        for (const [offset, death] of deaths.entries()) {
          const record = records[offset];
          assert.ok(record);
          const kept = form === "bare" ? [] : death.headers;
          const names = ours(form, death.firstDeliveredAt !== undefined);
          const expected = Buffer.concat([
            Buffer.from(varint(kept.length + names.length)),
            entries(kept),
          ]);
          assert.deepEqual(record.headers.subarray(0, expected.length), expected);
          const all = decodeHeaders(record.headers).map(([name]) => name);
          assert.deepEqual(all.slice(kept.length), names);
          assert.equal(record.timestamp, death.timestamp);
          assert.deepEqual(
            record.key,
            form === "bare" ? null : death.key && Buffer.from(death.key),
          );
          const value = form === "whole" ? death.value : null;
          assert.deepEqual(record.value, value && Buffer.from(value));

          const read = readLetter(record);
          assert.equal(read?.headers.length, kept.length);
          assert.equal(read?.msgId, `orders:3:${offset}`);
          assert.equal(read?.deliveries, death.deliveries);
          assert.equal(read?.message, Buffer.from(death.message).toString());
        }
      },
    ),
    { numRuns: 300 },
  );
});
