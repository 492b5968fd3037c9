import assert from "node:assert/strict";
import { test } from "node:test";
import { type Delivery, defaultLimits, emptyHeaders, type Frame } from "@kafkaproxy/wire";
import { Book } from "./book.ts";
import type { Hold } from "./hold.ts";
import type { Outlet, Sink } from "./outlet.ts";
import { graceMs } from "./renewal.ts";

const { ackTimeoutMs } = defaultLimits;
const intervalMs = ackTimeoutMs / 3;

class TestOutlet implements Outlet {
  up = true;
  gone = false;
  limits = { ...defaultLimits, maxProcessingTimeMs: 60_000 };
  sent: Frame[] = [];

  send(frame: Frame): void {
    this.sent.push(frame);
  }

  take<T extends Frame["type"]>(type: T): Extract<Frame, { type: T }>[] {
    const taken = this.sent.filter((frame) => frame.type === type);
    this.sent = this.sent.filter((frame) => frame.type !== type);
    return taken as Extract<Frame, { type: T }>[];
  }
}

class Stage {
  readonly lost: string[] = [];
  readonly ended: Hold[] = [];
  settledCalls = 0;
  readonly book = new Book("orders", {
    dirty: () => undefined,
    lost: (_hold, reason) => this.lost.push(reason),
    settled: () => this.settledCalls++,
  });
  readonly a = new TestOutlet();
  readonly b = new TestOutlet();
  readonly sink: Sink = {
    renews: true,
    ended: (hold) => this.ended.push(hold),
    renewed: () => undefined,
  };

  constructor() {
    this.book.up(0, this.a, false);
    this.book.owned(0, this.a, 1, [0, 1]);
    this.book.up(0, this.b, false);
    this.book.owned(0, this.b, 1, []);
  }

  deliver(offset: number, { now = 0, from = this.a, attempt = 1, started = true } = {}) {
    const delivery: Delivery = {
      partition: 0,
      offset,
      attempt,
      leaseMs: ackTimeoutMs,
      timestamp: -1,
      key: null,
      value: null,
      headers: emptyHeaders,
    };
    const hold = this.book.take(now, from, delivery, this.sink);
    if (hold !== undefined) hold.started = started;
    return hold;
  }

  tick(now: number): void {
    this.book.tick(now, intervalMs, defaultLimits);
    this.book.flush(now);
  }
}

const ref = (offset: number, attempt = 1) => ({ partition: 0, offset, attempt });

test("acks of one turn go out as ranges, and are kept until settled", () => {
  const stage = new Stage();
  for (const offset of [3, 1, 2, 7]) stage.deliver(offset)?.ack();
  stage.book.flush(1);
  const ranges = [
    { partition: 0, first: 1, last: 3 },
    { partition: 0, first: 7, last: 7 },
  ];
  assert.deepEqual(stage.a.take("ack"), [{ type: "ack", ranges }]);
  assert.equal(stage.book.settled, false);
  stage.a.up = false;
  stage.a.up = true;
  stage.book.up(2, stage.a, true);
  assert.deepEqual(stage.a.take("ack"), [{ type: "ack", ranges }], "again after a lost connection");
  stage.book.settledRanges([{ partition: 0, first: 0, last: 7 }]);
  assert.equal(stage.book.settled, true);
  assert.equal(stage.settledCalls, 1);
});

test("a settlement waits for the acks of its time, not for later ones", () => {
  const stage = new Stage();
  const [first, second] = [stage.deliver(1) as Hold, stage.deliver(2) as Hold];
  first.ack();
  const isDone = stage.book.settlement(1);
  second.ack();
  stage.book.flush(2);
  assert.equal(isDone(), false);
  stage.book.settledRanges([{ partition: 0, first: 1, last: 1 }]);
  assert.equal(isDone(), true);
  assert.equal(stage.book.settled, false);
});

test("one frame renews all but what is not started; after a resumed session it names them", () => {
  const stage = new Stage();
  stage.deliver(1);
  stage.deliver(2, { started: false });
  stage.tick(intervalMs);
  assert.deepEqual(stage.a.take("extend"), [
    { type: "extend", all: true, except: [{ partition: 0, first: 2, last: 2 }], records: [] },
  ]);
  // What was under way when the connection broke is leased to us too, and must not be renewed.
  stage.book.up(1_100, stage.a, true);
  assert.deepEqual(stage.a.take("extend"), [
    { type: "extend", all: false, except: [], records: [ref(1)] },
  ]);
  stage.tick(2 * intervalMs);
  assert.equal(stage.a.take("extend")[0]?.all, false);
  stage.tick(1_100 + 2 * ackTimeoutMs);
  assert.equal(stage.a.take("extend")[0]?.all, true);
});

test("what waits unstarted is released before its lease ends", () => {
  const stage = new Stage();
  const hold = stage.deliver(1, { started: false });
  stage.tick(intervalMs);
  assert.equal(hold?.phase, "held");
  stage.tick(2 * intervalMs);
  assert.deepEqual(stage.a.take("release"), [{ type: "release", records: [ref(1)] }]);
  assert.deepEqual(stage.lost, []);
  assert.equal(stage.deliver(1)?.phase, "held", "and can come again");
});

test("a new owner is presented what is held, returned and acked, then told the verdict", () => {
  const stage = new Stage();
  const [held, nacked, acked] = [1, 2, 3].map((offset) => stage.deliver(offset) as Hold);
  acked!.ack();
  stage.book.flush(1);
  stage.book.owned(2, stage.a, 1, [1]);
  nacked!.nack(500, "later");
  stage.book.flush(3);
  assert.equal(stage.a.take("nack").length, 0, "the old owner has nothing to do with it");
  stage.book.owned(4, stage.b, 1, [0]);
  assert.deepEqual(
    stage.b.sent.map(({ type }) => type),
    ["present", "nack"],
  );
  assert.deepEqual(stage.b.take("present")[0]?.records, [
    { ...ref(3), state: "acked" },
    { ...ref(1), state: "held" },
    { ...ref(2), state: "held" },
  ]);
  assert.deepEqual(stage.b.take("nack"), [
    { type: "nack", record: ref(2), delayMs: 500, reason: "later" },
  ]);
  stage.book.accepted(5, stage.b, {
    type: "present",
    leaseMs: 2_000,
    records: [{ ...ref(1), state: "held" }],
  });
  stage.tick(5 + graceMs(ackTimeoutMs));
  assert.equal(held!.phase, "held");
  assert.equal(stage.b.take("extend").length, 1);
});

test("moved without a new owner: held on for a grace, then lost, and a late ack goes to whoever comes", () => {
  const stage = new Stage();
  const hold = stage.deliver(1) as Hold;
  const { signal } = hold;
  stage.book.cancelled(10, stage.a, "moved", [ref(1)]);
  stage.tick(10 + graceMs(ackTimeoutMs) - 1);
  assert.equal(signal.aborted, false);
  stage.tick(10 + graceMs(ackTimeoutMs));
  assert.equal(signal.aborted, true);
  assert.deepEqual(stage.lost, ["moved"]);
  stage.book.owned(20_000, stage.a, 1, []);
  hold.ack();
  stage.book.owned(20_001, stage.b, 1, [0]);
  assert.deepEqual(stage.b.take("present")[0]?.records, [{ ...ref(1), state: "acked" }]);
});

test("cut off: lost with its lease; after a death longer, for nobody else can have it yet", () => {
  for (const gone of [false, true]) {
    const stage = new Stage();
    stage.deliver(1);
    stage.a.up = false;
    stage.a.gone = gone;
    stage.tick(ackTimeoutMs);
    assert.deepEqual(stage.lost, gone ? [] : ["disconnected"]);
    stage.tick(ackTimeoutMs + graceMs(ackTimeoutMs));
    assert.deepEqual(stage.lost, ["disconnected"]);
  }
});

test("the old owner's last delivery, after the new owner's announcement, is presented", () => {
  const stage = new Stage();
  stage.book.owned(1, stage.b, 2, [0]);
  stage.deliver(5, { now: 2 });
  assert.deepEqual(stage.b.take("present")[0]?.records, [{ ...ref(5), state: "held" }]);
});

test("a record that comes again is not handled twice: held, its lease is taken over; acked, it is acked again", () => {
  const stage = new Stage();
  const hold = stage.deliver(1) as Hold;
  assert.equal(stage.deliver(1, { from: stage.b, attempt: 2 }), undefined);
  assert.equal(hold.attempt, 2);
  hold.ack();
  stage.book.flush(1);
  stage.a.sent = [];
  assert.equal(stage.deliver(1, { attempt: 3 }), undefined);
  stage.book.flush(2);
  assert.equal(stage.a.take("ack").length, 1);
  assert.equal(stage.ended.length, 1);
});

test("cancel: settled takes no ack any more; expired and stale do, but no nack", () => {
  for (const reason of ["settled", "expired", "stale"] as const) {
    const stage = new Stage();
    const [one, two] = [stage.deliver(1) as Hold, stage.deliver(2) as Hold];
    stage.book.cancelled(1, stage.a, reason, [ref(1), ref(2)]);
    one.ack();
    two.nack(-1, "no");
    stage.book.flush(2);
    assert.equal(stage.a.take("ack").length, reason === "settled" ? 0 : 1);
    assert.equal(stage.a.take("nack").length, 0);
    assert.deepEqual(stage.lost, [reason, reason]);
  }
});

test("not held: once presented again, then given up", () => {
  const stage = new Stage();
  stage.deliver(1);
  const refused = { type: "error", code: "not-held", message: "", records: [ref(1)] } as const;
  stage.book.refused(1, stage.a, refused);
  assert.equal(stage.a.take("present").length, 1);
  stage.book.refused(2, stage.a, refused);
  assert.deepEqual(stage.lost, ["stale"]);
  stage.deliver(2)?.ack();
  stage.book.flush(3);
  stage.book.refused(4, stage.a, { ...refused, records: [ref(2)] });
  stage.book.refused(5, stage.a, { ...refused, records: [ref(2)] });
  assert.equal(stage.book.settled, true);
});

test("what was handed back is said again to a session that goes on, and then forgotten", () => {
  const stage = new Stage();
  stage.deliver(1)?.reject("never");
  stage.book.flush(1);
  assert.equal(stage.a.take("reject").length, 1);
  stage.book.up(2, stage.a, true);
  assert.equal(stage.a.take("reject").length, 1);
  stage.tick(2 + ackTimeoutMs);
  stage.book.up(3 + ackTimeoutMs, stage.a, true);
  assert.equal(stage.a.take("reject").length, 0);
});

test("a message is not held longer than the proxy's maxProcessingTime", () => {
  const stage = new Stage();
  stage.deliver(1);
  stage.tick(59_999);
  assert.deepEqual(stage.lost, []);
  stage.tick(60_000);
  assert.deepEqual(stage.lost, ["max-processing-time"]);
});

test("what was presented over a connection that broke is presented again: it may never have arrived", () => {
  const stage = new Stage();
  stage.deliver(1)?.ack();
  stage.deliver(2);
  stage.book.flush(1);
  stage.book.owned(2, stage.a, 1, [1]);
  stage.book.owned(2, stage.b, 1, [0]);
  const acked = { ...ref(1), state: "acked" } as const;
  const held = { ...ref(2), state: "held" } as const;
  assert.deepEqual(stage.b.take("present"), [
    { type: "present", leaseMs: 0, records: [acked, held] },
  ]);
  // It was lost on its way; the session goes on, and its acks are of records that it never held.
  stage.book.up(3, stage.b, true);
  assert.deepEqual(stage.b.take("present"), [{ type: "present", leaseMs: 0, records: [held] }]);
  const ranges = [{ partition: 0, first: 1, last: 1 }];
  assert.deepEqual(stage.b.take("ack"), [{ type: "ack", ranges }]);
  const refusal = { type: "error", code: "not-held", message: "", records: [ref(1)] } as const;
  stage.book.refused(4, stage.b, refusal);
  assert.deepEqual(stage.b.take("present"), [{ type: "present", leaseMs: 0, records: [acked] }]);
  assert.equal(stage.book.settled, false);
  stage.book.accepted(5, stage.b, { type: "present", leaseMs: ackTimeoutMs, records: [held] });
  stage.book.settledRanges(ranges);
  assert.equal(stage.book.settled, true);
  assert.deepEqual(stage.lost, []);
});

const refusedAck = (offset: number) =>
  ({ type: "error", code: "not-held", message: "", records: [ref(offset)] }) as const;
const presentedAck = (offset: number) => [
  { type: "present", leaseMs: 0, records: [{ ...ref(offset), state: "acked" }] },
];

test("a claim of an earlier generation changes nothing, whenever it is heard", () => {
  const stage = new Stage();
  const hold = stage.deliver(1) as Hold;
  stage.deliver(2)?.ack();
  stage.book.owned(1, stage.b, 0, [0]);
  hold.ack();
  stage.book.flush(2);
  assert.deepEqual(stage.b.sent, []);
  const ranges = [{ partition: 0, first: 1, last: 1 }];
  assert.deepEqual(stage.a.take("ack").at(-1), { type: "ack", ranges });
  assert.deepEqual(stage.book.partitionsOf(stage.b), [0], "it is shown what it says");
});

test("a claim of a later generation takes over, and what the other one does is no matter", () => {
  const stage = new Stage();
  const hold = stage.deliver(1) as Hold;
  stage.book.owned(1, stage.b, 2, [0]);
  assert.deepEqual(stage.b.take("present")[0]?.records, [{ ...ref(1), state: "held" }]);
  stage.book.owned(2, stage.a, 1, [0, 1, 2]);
  stage.book.cancelled(3, stage.a, "expired", [ref(1)]);
  hold.ack();
  stage.book.flush(4);
  assert.equal(stage.a.sent.length, 0);
  assert.equal(stage.b.take("ack").length, 1);
  assert.deepEqual(stage.lost, []);
});

for (const how of ["says so", "is gone", "has a new session"] as const) {
  test(`when the owner ${how}, a claimant of its generation is presented all of it, unasked`, () => {
    const stage = new Stage();
    stage.book.owned(0, stage.b, 1, [0]);
    stage.book.owned(0, stage.a, 1, [1]);
    stage.book.owned(0, stage.a, 1, [0, 1]);
    stage.deliver(1)?.ack();
    stage.deliver(2);
    stage.book.flush(1);
    assert.deepEqual(stage.b.sent, []);
    if (how === "says so") stage.book.owned(2, stage.a, 1, [1]);
    else if (how === "is gone") stage.book.dropped(2, stage.a);
    else stage.book.up(2, stage.a, false);
    assert.deepEqual(stage.b.take("present")[0]?.records, [
      { ...ref(1), state: "acked" },
      { ...ref(2), state: "held" },
    ]);
  });
}

test("when the owner stops, what it had waits for the next one, not for who was cut off before", () => {
  const stage = new Stage();
  stage.book.owned(0, stage.b, 0, [0]);
  stage.deliver(1)?.ack();
  const hold = stage.deliver(2) as Hold;
  stage.book.owned(1, stage.a, 1, [1]);
  hold.ack();
  stage.book.flush(2);
  assert.deepEqual(stage.b.sent, []);
  stage.book.owned(3, stage.b, 2, [0]);
  assert.deepEqual(stage.b.take("present")[0]?.records, [
    { ...ref(1), state: "acked" },
    { ...ref(2), state: "acked" },
  ]);
});

test("who loses to the owner and says so leaves nothing with itself", () => {
  const stage = new Stage();
  stage.book.owned(0, stage.b, 1, [0]);
  const hold = stage.deliver(1) as Hold;
  hold.ack();
  stage.deliver(2);
  stage.deliver(3)?.nack(0, "later");
  stage.book.flush(1);
  assert.equal(stage.a.take("ack").length, 1, "of one generation: to who delivered it");
  stage.book.owned(2, stage.a, 1, []);
  assert.deepEqual(stage.b.take("present")[0]?.records, [
    { ...ref(1), state: "acked" },
    { ...ref(2), state: "held" },
    { ...ref(3), state: "held" },
  ]);
  assert.equal(stage.b.take("nack").length, 1);
});

test("an ack that is refused as never held is asked of each claimant, and given up only then", () => {
  const stage = new Stage();
  stage.book.owned(0, stage.b, 1, [0]);
  stage.deliver(1)?.ack();
  stage.book.flush(1);
  stage.book.refused(2, stage.a, refusedAck(1));
  assert.deepEqual(stage.b.take("present"), presentedAck(1));
  stage.book.refused(3, stage.b, refusedAck(1));
  assert.deepEqual(stage.a.take("present"), presentedAck(1));
  assert.equal(stage.book.settled, false);
  stage.book.refused(4, stage.a, refusedAck(1));
  assert.equal(stage.book.settled, true);
});

test("an ack that is refused while nobody claims the partition waits for who does", () => {
  const stage = new Stage();
  stage.deliver(1)?.ack();
  stage.book.flush(1);
  stage.book.owned(2, stage.a, 1, []);
  stage.book.refused(3, stage.a, refusedAck(1));
  assert.equal(stage.book.settled, false);
  stage.book.owned(4, stage.b, 2, [0]);
  assert.deepEqual(stage.b.take("present"), presentedAck(1));
});

test("an ack that crossed with the move is presented to the owner when it is answered by moved", () => {
  const stage = new Stage();
  stage.deliver(1, { attempt: 3 })?.ack();
  stage.book.owned(1, stage.b, 2, [0]);
  stage.b.sent = [];
  stage.book.refused(2, stage.a, { ...refusedAck(1), code: "moved" });
  const records = [{ ...ref(1, 3), state: "acked" } as const];
  assert.deepEqual(stage.b.take("present"), [{ type: "present", leaseMs: 0, records }]);
});

test("a late ack of what its former holder does not serve any more is presented to the owner", () => {
  const stage = new Stage();
  const hold = stage.deliver(1) as Hold;
  stage.book.cancelled(1, stage.a, "expired", [ref(1)]);
  stage.book.owned(2, stage.b, 2, [0]);
  assert.deepEqual(stage.b.take("present"), []);
  hold.ack();
  stage.book.flush(3);
  assert.deepEqual(stage.b.take("present"), presentedAck(1));
  assert.deepEqual(stage.a.take("ack"), []);
});

test("what comes again although it was acked is acked to who delivered it", () => {
  const stage = new Stage();
  stage.deliver(1)?.ack();
  stage.book.flush(1);
  stage.book.owned(2, stage.b, 1, [0]);
  stage.book.owned(3, stage.a, 1, [0]);
  stage.a.sent = [];
  assert.equal(stage.deliver(1, { attempt: 2 }), undefined);
  stage.book.flush(4);
  assert.equal(stage.a.take("ack").length, 1);
});

test("an owner that is not connected stands in nobody's way, and hears of it when it is back", () => {
  const stage = new Stage();
  stage.book.owned(0, stage.b, 0, [0]);
  stage.a.up = false;
  stage.deliver(1, { from: stage.b })?.ack();
  stage.book.flush(1);
  const ranges = [{ partition: 0, first: 1, last: 1 }];
  assert.deepEqual(stage.b.sent, [{ type: "ack", ranges }]);
  stage.a.up = true;
  stage.book.up(2, stage.a, true);
  assert.deepEqual(stage.a.take("ack"), [{ type: "ack", ranges }]);
});
