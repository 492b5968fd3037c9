import assert from "node:assert/strict";
import { test } from "node:test";
import type { RecordRef } from "@kafkaproxy/wire";
import * as fc from "fast-check";
import { decodeMetadata } from "../ledger/index.ts";
import { Harness, testOptions } from "./test-harness.ts";
import type { PartitionCommit } from "./types.ts";

/** What is known of one record from frames alone. */
interface Known {
  readonly everHeld: Set<string>;
  holder: string | undefined;
  /** Deliveries that count. */
  deliveries: number;
  /** Deliveries that the last confirmed commit says. */
  recorded: number;
  acked: boolean;
  dead: boolean;
}

const names = ["a", "b", "c"] as const;
const step = fc.record({
  op: fc.constantFrom(
    ...(["admit", "pull", "pull", "pull", "ack", "late", "stranger", "nack", "release"] as const),
    ...(["reject", "renew", "take", "confirm", "confirm", "fail", "bury", "wait"] as const),
    "refuse",
  ),
  who: fc.constantFrom(...names),
  pick: fc.nat(1_000),
});

class Model {
  readonly h: Harness;
  readonly records = new Map<number, Known>();
  #next = 0;
  #open: PartitionCommit[] = [];
  /** A refusal has made room less than what the last confirmed commit had. */
  #shortened = false;

  constructor(metadataChars: number) {
    this.h = new Harness({ queue: { maxMessages: 60, maxBytes: 1e9 } });
    this.h.limitMetadata(metadataChars);
    for (const name of names) this.h.open(name);
    this.h.assign();
  }

  run(op: string, who: string, pick: number): void {
    const { h } = this;
    if (op === "admit") {
      // Now and then an offset that holds no record.
      this.#next += pick % 5 === 0 ? 1 : 0;
      const taken = h.admit(this.#next, this.#next + (pick % 7));
      for (let left = taken; left > 0; left -= 1) {
        this.records.set(this.#next, {
          everHeld: new Set(),
          holder: undefined,
          deliveries: 0,
          recorded: 0,
          acked: false,
          dead: false,
        });
        this.#next += 1;
      }
    } else if (op === "pull") this.#delivered(who, h.pull(who, (pick % 10) + 1));
    else if (op === "take") this.#take();
    else if (op === "confirm" || op === "fail") this.#conclude(op === "confirm");
    else if (op === "refuse") {
      this.#shortened ||= h.dispatch.shortenMetadata(this.#open) !== undefined;
      this.#conclude(false);
    } else if (op === "renew") {
      h.receive(who, { type: "extend", all: true, except: [], records: [] });
    } else if (op === "wait") h.advance(pick * 4);
    else if (op === "bury") {
      const [dead] = h.dead.splice(0, 1);
      if (dead !== undefined) {
        h.dispatch.deadLettered(h.now, 0, dead.record.offset);
        this.#known(dead.record.offset).dead = true;
      }
    } else this.#answer(op, who, pick);
    for (const name of names) this.#hear(name);
    this.#check();
  }

  #answer(op: string, who: string, pick: number): void {
    const { h } = this;
    const fits = ([, known]: [number, Known]): boolean =>
      op === "late"
        ? known.everHeld.has(who) && known.holder !== who
        : op === "stranger"
          ? !known.everHeld.has(who) && !known.acked && !known.dead
          : known.holder === who;
    const candidates = [...this.records].filter(fits);
    const chosen = candidates[pick % Math.max(1, candidates.length)];
    if (chosen === undefined) return;
    const [offset, known] = chosen;
    const record: RecordRef = { partition: 0, offset, attempt: known.deliveries };
    if (op === "ack" || op === "late") {
      h.ack(who, offset);
      known.acked = true;
      known.holder = undefined;
      return;
    }
    if (op === "stranger") {
      h.ack(who, offset);
      const [error] = h.port(who).take("error");
      assert.equal(error?.code, "not-held");
      return;
    }
    known.holder = undefined;
    if (op === "release") {
      known.deliveries -= 1;
      known.recorded = Math.min(known.recorded, known.deliveries);
    }
    if (op === "nack") h.receive(who, { type: "nack", record, delayMs: pick % 3, reason: "" });
    else if (op === "reject") h.receive(who, { type: "reject", record, reason: "" });
    else h.receive(who, { type: "release", records: [record] });
  }

  #delivered(who: string, records: readonly RecordRef[]): void {
    for (const { offset, attempt } of records) {
      const known = this.#known(offset);
      assert.ok(!known.acked && !known.dead, `${offset} was finished`);
      assert.equal(known.holder, undefined, `${offset} has a holder`);
      assert.equal(attempt, known.deliveries + 1);
      assert.ok(attempt <= testOptions.maxDeliveries);
      assert.ok(known.recorded >= attempt - 1, `${offset} goes out uncounted`);
      known.deliveries = attempt;
      known.holder = who;
      known.everHeld.add(who);
    }
  }

  #take(): void {
    const commits = this.h.dispatch.takeCommits(this.h.now, true);
    this.#open.push(...commits);
    for (const { offset: watermark, metadata } of commits) {
      const decoded = decodeMetadata(watermark, metadata);
      assert.ok("snapshot" in decoded);
      if (this.#shortened) continue;
      const counted = new Set(decoded.snapshot.counts.map(({ offset }) => offset));
      const dying = new Set(this.h.dead.map(({ record }) => record.offset));
      for (const [offset, { acked, dead, recorded }] of this.records) {
        const keeps = recorded > 0 && !acked && !dead && !dying.has(offset);
        assert.ok(!keeps || counted.has(offset), `${offset} was recorded and lost its place`);
      }
    }
  }

  #conclude(confirmed: boolean): void {
    const { h } = this;
    for (const commit of this.#open.splice(0)) {
      if (!confirmed) {
        h.dispatch.commitFailed(h.now, commit, true);
        continue;
      }
      h.dispatch.commitConfirmed(h.now, commit);
      this.#shortened = false;
      const decoded = decodeMetadata(commit.offset, commit.metadata);
      assert.ok("snapshot" in decoded);
      const counts = new Map(decoded.snapshot.counts.map((each) => [each.offset, each.deliveries]));
      for (const [offset, known] of this.records) {
        known.recorded = Math.min(known.deliveries, counts.get(offset) ?? 0);
      }
    }
  }

  #hear(name: string): void {
    const port = this.h.port(name);
    assert.deepEqual(port.take("error"), []);
    for (const { reason, records } of port.take("cancel")) {
      for (const { offset } of records) {
        const known = this.#known(offset);
        if (reason === "settled") assert.ok(known.acked, `${offset} is not settled`);
        else assert.equal(known.holder, name);
        if (known.holder === name) known.holder = undefined;
      }
    }
    port.frames = [];
  }

  /** The watermark is the first record that is neither acked nor buried. */
  #check(): void {
    let watermark = this.#next;
    for (const [offset, { acked, dead }] of this.records) {
      if (acked || dead) continue;
      watermark = offset;
      break;
    }
    const [status] = this.h.dispatch.partitions(this.h.now);
    assert.ok(status);
    assert.ok(status.watermark <= watermark, `${status.watermark} is past ${watermark}`);
    if (watermark < this.#next) assert.equal(status.watermark, watermark);
    const held = [...this.records.values()].filter(({ holder }) => holder !== undefined).length;
    assert.equal(status.inFlight, held);
    assert.ok(status.ready + status.delayed + status.inFlight + status.dying <= 60);
  }

  #known(offset: number): Known {
    const known = this.records.get(offset);
    assert.ok(known, `no record at ${offset}`);
    return known;
  }
}

test("one holder, counted deliveries, late acks, a true watermark: over random histories of one owner", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(32, 64, 4_096),
      fc.array(step, { minLength: 20, maxLength: 250 }),
      (metadataChars, steps) => {
        const model = new Model(metadataChars);
        for (const { op, who, pick } of steps) model.run(op, who, pick);
      },
    ),
    { numRuns: 400 },
  );
});
