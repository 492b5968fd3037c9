import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { SourceRecord } from "../dispatch/index.ts";
import { Intake, type IntakePorts } from "./intake.ts";

function records(first: number, count: number): SourceRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    offset: first + index,
    timestamp: 0,
    key: null,
    value: null,
    headers: Buffer.alloc(1),
  }));
}

/** Room for all that these tests keep. */
const plenty = 1_000;

/** A window of `size` records: takes what it has room for, opens again at half. */
class Window {
  taken: number[] = [];
  held = 0;
  closed = false;
  intake: Intake | undefined;
  readonly size: number;
  constructor(size: number) {
    this.size = size;
  }
  admit(given: readonly SourceRecord[]): number {
    const count = Math.min(given.length, this.size - this.held);
    this.taken.push(...given.slice(0, count).map((record) => record.offset));
    this.held += count;
    if (this.held === this.size && !this.closed) {
      this.closed = true;
      this.intake?.open(0, false);
    }
    return count;
  }
  settle(count: number): void {
    this.held -= Math.min(count, this.held);
    if (this.closed && this.held <= this.size / 2) {
      this.closed = false;
      this.intake?.open(0, true);
    }
  }
}

test("what does not fit is kept, the partition paused, and fed again in order when there is room", () => {
  const log: string[] = [];
  const deferred: (() => void)[] = [];
  const window = new Window(10);
  const ports: IntakePorts = {
    pause: (partition) => void log.push(`pause ${partition}`),
    resume: (partition) => void log.push(`resume ${partition}`),
    rewind: () => assert.fail("rewound"),
    admit: (_partition, given) => window.admit(given),
    defer: (task) => void deferred.push(task),
  };
  const intake = new Intake(ports, plenty);
  window.intake = intake;
  intake.add(0);
  intake.batch(0, records(0, 15), 15);
  assert.equal(window.taken.length, 10);
  assert.deepEqual(log, ["pause 0"]);
  window.settle(5);
  assert.equal(window.taken.length, 10, "not in the middle of dispatch's work");
  for (const task of deferred.splice(0)) task();
  assert.deepEqual(
    window.taken,
    Array.from({ length: 15 }, (_, index) => index),
  );
  assert.deepEqual(log, ["pause 0"], "full again: still paused");
  window.settle(10);
  for (const task of deferred.splice(0)) task();
  assert.deepEqual(log, ["pause 0", "resume 0"]);
});

test("a partition that is gone takes nothing, and nothing is fed to it", () => {
  const deferred: (() => void)[] = [];
  const window = new Window(2);
  const ports: IntakePorts = {
    pause: () => undefined,
    resume: () => assert.fail("resumed"),
    rewind: () => assert.fail("rewound"),
    admit: (_partition, given) => window.admit(given),
    defer: (task) => void deferred.push(task),
  };
  const intake = new Intake(ports, plenty);
  window.intake = intake;
  intake.add(0);
  intake.batch(0, records(0, 3), 3);
  window.settle(2);
  intake.remove(0);
  for (const task of deferred.splice(0)) task();
  intake.batch(0, records(3, 3), 6);
  assert.deepEqual(window.taken, [0, 1]);
});

test("any order of fetches and room: each record once, in order; fetching goes on whenever there is room", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom(0, 3, 10, plenty),
      fc.array(fc.oneof(fc.constant("fetch" as const), fc.integer({ min: 1, max: 10 })), {
        maxLength: 100,
      }),
      (size, maxKeptBytes, steps) => {
        const deferred: (() => void)[] = [];
        const window = new Window(size);
        let paused = false;
        let next = 0;
        let end = 0;
        const ports: IntakePorts = {
          pause: () => {
            paused = true;
          },
          resume: () => {
            paused = false;
          },
          rewind: (_partition, offset) => {
            assert.ok(paused, "nothing is fetched until there is room");
            next = offset;
          },
          admit: (_partition, given) => window.admit(given),
          defer: (task) => void deferred.push(task),
        };
        const intake = new Intake(ports, maxKeptBytes);
        window.intake = intake;
        intake.add(0);
        const fetch = (count: number): void => {
          const first = next;
          next += count;
          end = Math.max(end, next);
          intake.batch(0, records(first, count), next);
          // A record is one byte here.
          assert.ok(next - window.taken.length <= maxKeptBytes, "so much is kept");
        };
        for (const step of steps) {
          if (step === "fetch") {
            if (!paused) fetch(7);
          } else window.settle(step);
          for (const task of deferred.splice(0)) task();
          assert.deepEqual(
            window.taken,
            Array.from({ length: window.taken.length }, (_, i) => i),
          );
          if (!window.closed) assert.equal(paused, false);
        }
        while (window.taken.length < end) {
          window.settle(1);
          for (const task of deferred.splice(0)) task();
          if (!paused && next < end) fetch(Math.min(7, end - next));
        }
        assert.ok(window.taken.length >= end);
      },
    ),
  );
});
