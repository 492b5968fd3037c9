import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Alarm } from "./alarm.ts";
import { TimerWheel } from "./timer-wheel.ts";

test("nothing fires early, everything fires within a step of its time, what is disarmed never does", () => {
  const action = fc.record({
    op: fc.constantFrom("arm", "arm", "postpone", "disarm", "wait"),
    delayMs: fc.oneof(fc.nat(100), fc.nat(5_000), fc.nat(900_000)),
    pick: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 80 }), fc.nat(1_000_000), (actions, begin) => {
      const wheel = new TimerWheel<Alarm>();
      const armed = new Set<Alarm>();
      let now = begin + 0.25;
      const run = (until: number): void => {
        for (;;) {
          const next = wheel.nextAt();
          if (next === undefined || next > until) break;
          now = Math.max(now, next);
          wheel.advance(now, (alarm) => alarm.ring(now));
        }
        now = until;
      };
      for (const { op, delayMs, pick } of actions) {
        const some = [...armed][pick % Math.max(1, armed.size)];
        if (op === "arm") {
          const alarm: Alarm = new Alarm((at) => {
            assert.ok(armed.delete(alarm), "fired once, and not after it was disarmed");
            assert.ok(at >= alarm.dueAt && at <= alarm.dueAt + 16, `${at} for ${alarm.dueAt}`);
          });
          armed.add(alarm);
          wheel.schedule(now, alarm, now + delayMs);
        } else if (op === "postpone" && some !== undefined) some.dueAt += delayMs;
        else if (op === "disarm" && some !== undefined) {
          some.disarm();
          armed.delete(some);
        } else run(now + delayMs);
      }
      run(now + 10_000_000);
      for (let rest = wheel.nextAt(); rest !== undefined; rest = wheel.nextAt()) run(rest);
      assert.equal(armed.size, 0);
    }),
    { numRuns: 300 },
  );
});

test("after a long freeze all that is due fires at once", () => {
  const wheel = new TimerWheel<Alarm>();
  let fired = 0;
  for (let at = 0; at < 10_000; at += 1) {
    wheel.schedule(
      0,
      new Alarm(() => {
        fired += 1;
      }),
      at * 7,
    );
  }
  wheel.advance(3_600_000, (alarm) => alarm.ring(3_600_000));
  assert.equal(fired, 10_000);
  assert.equal(wheel.nextAt(), undefined);
});
