import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { formatMsgId, parseMsgId, WireError } from "./index.ts";

test("a msgId goes round", () => {
  const topic = fc.stringMatching(/^[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,248}$/);
  const msgId = fc.record({ topic, partition: fc.nat(), offset: fc.maxSafeNat() });
  fc.assert(
    fc.property(msgId, (msgId) => {
      assert.deepEqual(parseMsgId(formatMsgId(msgId)), { ...msgId });
    }),
  );
});

test("what is no msgId is refused, with the part that is wrong", () => {
  const cases: [string, RegExp][] = [
    ["", /1 parts/],
    ["orders:3", /2 parts/],
    ["orders:3:4:5", /4 parts/],
    [":3:4", /topic name/],
    ["..:3:4", /topic name/],
    ["or ders:3:4", /topic name/],
    [`${"x".repeat(250)}:3:4`, /topic name/],
    ["orders:-1:4", /partition/],
    ["orders:2147483648:4", /partition/],
    ["orders:3:", /offset/],
    ["orders:3:04", /offset/],
    ["orders:3:1e3", /offset/],
    ["orders:3:9007199254740992", /offset/],
    ["orders:3:4\n", /offset/],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => parseMsgId(text),
      (error) =>
        error instanceof WireError &&
        error.code === "invalid-msg-id" &&
        message.test(error.message),
      JSON.stringify(text),
    );
  }
  assert.throws(() => formatMsgId({ topic: "a:b", partition: 0, offset: 0 }), WireError);
  assert.throws(() => formatMsgId({ topic: "a", partition: 0, offset: -1 }), WireError);
});
