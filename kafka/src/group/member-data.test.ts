import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { KafkaError } from "../errors.ts";
import { decodeAssignment, decodeMember, encodeAssignment, encodeMember } from "./member-data.ts";
import type { MemberData } from "./member-data.ts";

const data: MemberData = {
  ordinal: 1,
  replicas: 3,
  configGeneration: 9,
  startedAtMs: 1_700_000_000_000,
  partitionCount: 12,
  owned: [1, 4],
  ownedGeneration: 17,
  asked: 2,
};

/** A subscription as another version of ours might write it. */
function subscription(userData: string): Buffer {
  const empty = encodeMember("orders", data);
  const head = 2 + 4 + 2 + "orders".length;
  const body = Buffer.from(userData);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([empty.subarray(0, head), length, body]);
}

test("what a member says of itself survives the way", () => {
  assert.deepEqual(decodeMember(encodeMember("orders-é", data)), data);
});

test("a newer minor version's fields are skipped", () => {
  const newer = JSON.stringify({ ...data, minor: 7, zone: "b", load: { cpu: 0.5 } });
  assert.deepEqual(decodeMember(subscription(newer)), data);
});

test("bytes that are not ours are refused with words", () => {
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from([0, 0, 0, 0]),
    subscription("{}"),
    subscription("x"),
  ]) {
    assert.throws(
      () => decodeMember(bytes),
      (error) => error instanceof KafkaError && error.code === "group-protocol",
    );
  }
});

test("an assignment survives the way; another topic's partitions and no answer are nothing", () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 40 }),
      fc.array(fc.nat(100_000)),
      (topic, partitions) => {
        const assignment = { partitions, withheld: partitions.slice(1) };
        const bytes = encodeAssignment(topic, assignment);
        assert.deepEqual(decodeAssignment(topic, bytes), assignment);
        assert.deepEqual(decodeAssignment(`${topic}x`, bytes).partitions, []);
      },
    ),
  );
  assert.deepEqual(decodeAssignment("t", Buffer.alloc(0)), { partitions: [], withheld: [] });
  assert.deepEqual(decodeAssignment("t", null), { partitions: [], withheld: [] });
});

test("an assignment that is cut is refused, not half read", () => {
  const bytes = encodeAssignment("orders", { partitions: [1, 2], withheld: [3] });
  for (let length = 1; length < bytes.length; length += 1) {
    assert.throws(
      () => decodeAssignment("orders", bytes.subarray(0, length)),
      (error) => error instanceof KafkaError && error.code === "group-protocol",
    );
  }
});
