import assert from "node:assert/strict";
import { test } from "node:test";
import { KafkaError, type Logger } from "@kafkaproxy/kafka";
import { decodeHeaders, encodeHeaders } from "@kafkaproxy/wire";
import type { DeadRecord } from "../dispatch/index.ts";
import type { Letter } from "./letter.ts";
import { readLetter } from "./read-letter.ts";
import { LetterWriter, type WrittenLetter } from "./writer.ts";

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

function dead(partition: number, offset: number, valueBytes = 10): DeadRecord {
  return {
    partition,
    record: {
      offset,
      timestamp: 1_700_000_000_000 + offset,
      key: Buffer.from(`key-${offset}`),
      value: Buffer.alloc(valueBytes, offset),
      headers: encodeHeaders([
        { name: "constructor", value: null },
        { name: "a", value: Buffer.from("1") },
        { name: "a", value: Buffer.from("2") },
      ]),
    },
    disposition: "deliveries-exhausted",
    deliveries: 5,
    message: "5 deliveries",
    firstDeliveredAt: 100,
    worker: "pod-7",
  };
}

type Answer = (partition: number, letters: readonly Letter[]) => void | Promise<void>;

/** A dead-letter topic in memory that `answer` may refuse for. */
function setup(
  answer: Answer,
  isDying: (dead: DeadRecord) => boolean = () => true,
): {
  writer: LetterWriter;
  log: Map<number, Letter[]>;
  written: WrittenLetter[];
  appends: number[];
} {
  const log = new Map<number, Letter[]>();
  const written: WrittenLetter[] = [];
  const appends: number[] = [];
  const writer = new LetterWriter({
    topic: "orders",
    consumerGroup: "billing",
    log: {
      append: async (partition, letters) => {
        appends.push(letters.length);
        await answer(partition, letters);
        const lane = log.get(partition) ?? [];
        log.set(partition, lane);
        const baseOffset = lane.length;
        lane.push(...letters);
        return { topic: "orders-dlq", partition, baseOffset };
      },
    },
    isDying,
    written: (letter) => void written.push(letter),
    now: () => 1_000,
    wallClock: () => 1_700_000_001_000,
    random: () => 0.5,
    logger: silent,
  });
  return { writer, log, written, appends };
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, "nothing happened in 30 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("a letter is the record, and our headers after its own", async () => {
  const { writer, log, written } = setup(() => undefined);
  writer.add(dead(3, 42));
  await until(() => written.length === 1);
  const letter = log.get(3)?.[0];
  assert.ok(letter);
  const original = dead(3, 42).record;
  assert.deepEqual(letter.key, original.key);
  assert.deepEqual(letter.value, original.value);
  assert.equal(letter.timestamp, original.timestamp);
  assert.deepEqual(
    decodeHeaders(letter.headers).map(({ name, value }) => [
      name,
      value === null ? null : Buffer.from(value).toString(),
    ]),
    [
      ["constructor", null],
      ["a", "1"],
      ["a", "2"],
      ["__dlq.errors.topic", "orders"],
      ["__dlq.errors.partition", "3"],
      ["__dlq.errors.offset", "42"],
      ["__dlq.errors.group", "billing"],
      ["__dlq.errors.delivery.count", "5"],
      ["__dlq.errors.message", "5 deliveries"],
      ["kafkaproxy.msg-id", "orders:3:42"],
      ["kafkaproxy.disposition", "deliveries-exhausted"],
      ["kafkaproxy.first-delivered-at", "2023-11-14T22:13:20.100Z"],
      ["kafkaproxy.dead-at", "2023-11-14T22:13:21.000Z"],
      ["kafkaproxy.worker", "pod-7"],
    ],
  );
  assert.deepEqual(written[0]?.log, { topic: "orders-dlq", partition: 3, offset: 0 });
});

test("read back: the record's own headers apart from ours, also when it died before", async () => {
  const { writer, log, written } = setup(() => undefined);
  writer.add(dead(0, 1));
  await until(() => written.length === 1);
  const first = log.get(0)?.[0];
  assert.ok(first);
  writer.add({
    ...dead(0, 2),
    record: { offset: 2, timestamp: 5, key: null, value: null, headers: first.headers },
  });
  await until(() => written.length === 2);
  const second = log.get(0)?.[1];
  assert.ok(second);
  const read = readLetter({
    offset: 1,
    timestamp: second.timestamp,
    key: null,
    value: null,
    headers: Buffer.from(second.headers),
  });
  assert.equal(read?.msgId, "orders:0:2");
  assert.equal(read?.headers.length, decodeHeaders(first.headers).length);
  assert.equal(read?.value, null);
});

test("too large: the value stays behind, then the rest; the others of its batch pass whole", async () => {
  const { writer, log, written } = setup((_partition, letters) => {
    for (const letter of letters) {
      const size = (letter.value?.byteLength ?? 0) + (letter.key?.byteLength ?? 0);
      if (size > 1_000) throw new KafkaError("record-too-large", "too large");
    }
  });
  writer.add(dead(0, 0));
  writer.add(dead(0, 1, 5_000));
  writer.add({
    ...dead(0, 2, 5_000),
    record: { ...dead(0, 2, 5_000).record, key: Buffer.alloc(2_000) },
  });
  writer.add(dead(0, 3));
  await until(() => written.length === 4);
  assert.deepEqual(
    written.map(({ offset, form }) => [offset, form]),
    [
      [0, "whole"],
      [1, "pointer"],
      [2, "bare"],
      [3, "whole"],
    ],
  );
  const pointer = log.get(0)?.[1];
  assert.ok(pointer);
  assert.equal(pointer.value, null);
  assert.equal(Buffer.from(pointer.key ?? []).toString(), "key-1");
  assert.deepEqual(decodeHeaders(pointer.headers).at(-1), {
    name: "kafkaproxy.pointer",
    value: Buffer.from("pointer"),
  });
  assert.equal(writer.status.waiting, 0);
});

test("an outage: they wait, visible, in order, and are written when it is over", async () => {
  let away = true;
  const { writer, written } = setup(() => {
    if (away) throw new KafkaError("unreachable", "no broker");
  });
  for (let offset = 0; offset < 250; offset++) writer.add(dead(1, offset));
  await until(() => writer.status.problem !== undefined);
  assert.equal(writer.status.waiting, 250);
  assert.equal(writer.status.problem?.code, "unreachable");
  assert.ok(writer.has(1, 200));
  away = false;
  await until(() => written.length === 250);
  assert.deepEqual(
    written.map(({ offset }) => offset),
    Array.from({ length: 250 }, (_, index) => index),
  );
  assert.equal(writer.status.problem, undefined);
});

test("a late ack while they wait: what it settled is not written", async () => {
  const settled = new Set<number>();
  let away = true;
  const { writer, written } = setup(
    () => {
      if (away) throw new KafkaError("unreachable", "no broker");
    },
    ({ record }) => !settled.has(record.offset),
  );
  for (let offset = 0; offset < 4; offset++) writer.add(dead(0, offset));
  writer.add(dead(1, 7));
  await until(() => writer.status.problem !== undefined);
  for (const offset of [0, 2, 7]) settled.add(offset);
  away = false;
  await until(() => writer.status.waiting === 0);
  assert.deepEqual(
    written.map(({ offset }) => offset),
    [1, 3],
  );
  assert.equal(writer.status.problem, undefined);
  await writer.close();
});

test("one that the broker refuses by a rule of its own waits behind the others", async () => {
  const { writer, written } = setup((_partition, letters) => {
    if (letters.some((letter) => letter.timestamp === 1_700_000_000_001)) {
      throw new KafkaError("refused", "invalid record");
    }
  });
  for (let offset = 0; offset < 4; offset++) writer.add(dead(0, offset));
  await until(() => written.length === 3);
  assert.deepEqual(
    written.map(({ offset }) => offset),
    [0, 2, 3],
  );
  assert.equal(writer.status.waiting, 1);
  await writer.close();
});

test("a partition given up: what is in flight ends, nothing is started, nothing is reported", async () => {
  const gate = Promise.withResolvers<void>();
  const { writer, written, appends } = setup(async () => await gate.promise);
  writer.add(dead(0, 0));
  await until(() => appends.length === 1);
  writer.add(dead(0, 1));
  const settling = writer.settle([0]);
  gate.resolve();
  await settling;
  assert.deepEqual(
    written.map(({ offset }) => offset),
    [0],
  );
  writer.forget(0);
  assert.equal(writer.status.waiting, 0);
  assert.equal(appends.length, 1);
});

test("many partitions at once, one write at a time in each", async () => {
  let most = 0;
  let now = 0;
  const busy = new Set<number>();
  const { writer, written } = setup(async (partition) => {
    assert.ok(!busy.has(partition));
    busy.add(partition);
    now++;
    most = Math.max(most, now);
    await new Promise((resolve) => setImmediate(resolve));
    now--;
    busy.delete(partition);
  });
  for (let offset = 0; offset < 50; offset++) {
    for (let partition = 0; partition < 20; partition++) writer.add(dead(partition, offset));
  }
  await until(() => written.length === 1_000);
  assert.ok(most > 1 && most <= 4, `${most} at once`);
});
