// Against Kafka's own codec: what its Java producer wrote, read by ours, and the other way round.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ConsumedRecord,
  type KafkaCluster,
  kcat,
  type RecordToProduce,
  startKafka,
} from "../../../test/servers/index.ts";
import {
  type AbortedTransaction,
  type DecodedBatches,
  decodeBatches,
  decodeHeaders,
  encodeBatch,
  encodeHeaders,
  type KafkaRecord,
} from "./index.ts";

import { field, lengthEndsAt } from "./layout.ts";

const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;

let kafka: KafkaCluster;
before(async () => {
  kafka = await startKafka();
});
after(() => kafka.stop());

/** Every shape a record has: nulls, empties, repeated header names, many bytes that compress and that do not. */
function shapes(): RecordToProduce[] {
  const noise = Buffer.from(
    Array.from({ length: 70_000 }, (_, i) => (i * i * 31 + (i >> 3)) & 255),
  );
  const headers: [string, Buffer | null][] = [
    ["b", Buffer.from([0, 255])],
    ["a", null],
    ["b", Buffer.alloc(0)],
    ["constructor", Buffer.from("x")],
    ["ü", Buffer.alloc(300, 7)],
  ];
  const base: RecordToProduce[] = [
    { key: null, value: null },
    { key: "", value: "" },
    { key: null, value: "no key", headers },
    { key: "tombstone", value: null, headers: [["only", null]] },
    { key: Buffer.alloc(200, 1), value: noise },
    { key: "long run", value: Buffer.alloc(300_000, 9) },
    { key: "text", value: "the quick brown fox ".repeat(5_000) },
  ];
  const many = Array.from({ length: 200 }, (_, i) => ({ key: `k${i}`, value: `{"number":${i}}` }));
  return [...base, ...many].map((record, i) => ({
    ...record,
    partition: 0,
    timestamp: 1_700_000_000_000 + (i % 7) * 1_000_003 - i,
  }));
}

function asConsumed(record: KafkaRecord): ConsumedRecord {
  const { headers, ...rest } = record;
  return { partition: 0, ...rest, headers: decodeHeaders(headers) };
}

/** The records of partition 0 by our decoder, fetch after fetch as a fetcher does it. */
async function readAll(topic: string, options: { maxBytes?: number; from?: number } = {}) {
  const end = (await kafka.endOffsets(topic)).get(0) ?? 0;
  const records: KafkaRecord[] = [];
  const answers: DecodedBatches[] = [];
  let empties = 0;
  for (let offset = options.from ?? 0; offset < end; ) {
    const { data, aborted } = await fetch(topic, offset, options.maxBytes ?? 8 << 20);
    const decoded = decodeBatches(data, { fetchOffset: offset, abortedTransactions: aborted });
    assert.ok(decoded.nextOffset > offset, `stuck at ${offset}`);
    for (const record of decoded.records) records.push(record);
    answers.push(decoded);
    empties += emptied(data);
    offset = decoded.nextOffset;
  }
  return { records: records.map(asConsumed), answers, empties };
}

describe("what the Java producer writes", () => {
  for (const codec of codecs) {
    it(`${codec}: is read byte for byte`, async () => {
      const topic = `written-${codec}`;
      await kafka.createTopic(topic);
      await kafka.produce(topic, shapes(), { codec });
      await kafka.produce(topic, shapes().slice(0, 4), { codec, transaction: "commit" });
      const expected = await kafka.consumeAll(topic);
      assert.equal(expected.length, shapes().length + 4);
      const { records } = await readAll(topic);
      assert.deepEqual(records, expected);
    });
  }

  it("small fetches cut batches off, and positions within a batch leave out what is before", async () => {
    const topic = "cut";
    await kafka.createTopic(topic);
    for (let i = 0; i < 8; i++) await kafka.produce(topic, shapes().slice(7, 27), { codec: "lz4" });
    const expected = await kafka.consumeAll(topic);
    const { records, answers } = await readAll(topic, { maxBytes: 700 });
    assert.deepEqual(records, expected);
    assert.ok(answers.some(({ partial }) => partial));
    const { records: later } = await readAll(topic, { from: 33 });
    assert.deepEqual(later, expected.slice(33));
  });

  it("log append time is the broker's", async () => {
    const topic = "append-time";
    await kafka.createTopic(topic, { config: { "message.timestamp.type": "LogAppendTime" } });
    await kafka.produce(topic, shapes().slice(0, 4), { codec: "gzip" });
    const { records } = await readAll(topic);
    assert.deepEqual(records, await kafka.consumeAll(topic));
    assert.ok((records[0]?.timestamp ?? 0) > 1_700_000_000_000 + 10_000_000_000);
  });
});

function two(value: string): RecordToProduce[] {
  return [1, 2].map((n) => ({ partition: 0, key: "k", value: `${value} ${n}` }));
}

describe("transactions", () => {
  it("two aborted ones before a good one, with others between: only the good records, from every offset", async () => {
    const topic = "transactions";
    await kafka.createTopic(topic);
    await kafka.produce(topic, two("aborted 1"), { transaction: "abort" });
    await kafka.produce(topic, two("aborted 2"), { transaction: "abort", codec: "zstd" });
    await kafka.produce(topic, two("good"), { transaction: "commit" });
    await kafka.produce(topic, two("plain"));
    await kafka.produce(topic, two("aborted 3"), { transaction: "abort", codec: "gzip" });
    const expected = await kafka.consumeAll(topic);
    const everything = await kafka.consumeAll(topic, { isolation: "read_uncommitted" });
    assert.equal(expected.length, 4);
    assert.equal(everything.length, 10);
    const end = (await kafka.endOffsets(topic)).get(0) ?? 0;
    for (let from = 0; from < end; from++) {
      for (const maxBytes of [1, 8 << 20]) {
        const { records, answers } = await readAll(topic, { from, maxBytes });
        assert.deepEqual(
          records,
          expected.filter(({ offset }) => offset >= from),
        );
        assert.equal(answers.at(-1)?.nextOffset, end, "over the aborted ones and the last marker");
      }
    }
  });
});

function round(n: number, keys: string[]): RecordToProduce[] {
  return keys.map((key) => ({ partition: 0, key, value: `${key}${n}` }));
}

/** The cleaner may go on at any time, on the filler. */
function kept(records: ConsumedRecord[]): ConsumedRecord[] {
  return records.filter(({ key }) => key?.toString() !== "filler");
}

/** How many batches have no record left. */
function emptied(data: Buffer): number {
  let count = 0;
  for (let at = 0; at + field.records <= data.length; ) {
    if (data.readInt32BE(at + field.recordCount) === 0) count++;
    at += lengthEndsAt + data.readInt32BE(at + field.length);
  }
  return count;
}

describe("compaction", () => {
  it("gaps and emptied batches are crossed", { timeout: 120_000 }, async () => {
    const topic = "compacted";
    const config = {
      "cleanup.policy": "compact",
      "segment.ms": "100",
      "delete.retention.ms": "0",
      "min.cleanable.dirty.ratio": "0.01",
    };
    await kafka.createTopic(topic, { config });
    await kafka.produce(topic, round(1, ["a", "b", "c", "d", "e"]), { codec: "lz4" });
    // Emptied, and kept: it is the last that the broker knows of its idempotent producer.
    await kafka.produce(topic, round(2, ["a", "e"]), { codec: "gzip" });
    await kafka.produce(topic, round(2, ["a", "c"]), { transaction: "commit" });
    await kafka.produce(topic, round(3, ["a", "x"]), { transaction: "abort" });
    await kafka.produce(topic, round(4, ["a", "c", "e"]), { codec: "zstd" });
    const deadline = Date.now() + 90_000;
    for (let n = 5; ; n++) {
      assert.ok(Date.now() < deadline, "the cleaner did not run");
      await kafka.produce(topic, round(n, ["filler"])); // an append rolls the segment
      const seen = await kafka.consumeAll(topic);
      if (kept(seen).length === 5) break;
      await sleep(300);
    }
    const { records, empties } = await readAll(topic);
    assert.deepEqual(kept(records), kept(await kafka.consumeAll(topic)));
    assert.deepEqual(
      kept(records).map(({ value }) => value?.toString()),
      ["b1", "d1", "a4", "c4", "e4"],
    );
    assert.ok(empties > 0, "no batch was emptied");
    const end = (await kafka.endOffsets(topic)).get(0) ?? 0;
    for (let from = 0; from < end; from++) {
      const { answers } = await readAll(topic, { from, maxBytes: 1 });
      assert.equal(answers.at(-1)?.nextOffset, end, `from ${from}`);
    }
  });
});

describe("what others write", () => {
  it("librdkafka's codecs are read", async () => {
    for (const codec of codecs) {
      const topic = `librdkafka-${codec}`;
      await kafka.createTopic(topic);
      const lines = Array.from(
        { length: 500 },
        (_, i) => `key${i}:value ${i % 10} ${"y".repeat(i)}\n`,
      );
      const args = ["-b", kafka.bootstrapServers.join(","), "-P", "-t", topic, "-K:", "-z", codec];
      const sent = await kcat(args, lines.join(""));
      assert.equal(sent.exitCode, 0, sent.stderr);
      const expected = await kafka.consumeAll(topic);
      assert.equal(expected.length, 500);
      assert.deepEqual((await readAll(topic)).records, expected);
    }
  });
});

describe("what ours writes", () => {
  for (const compression of ["none", "gzip", "zstd"] as const) {
    it(`${compression}: is read byte for byte by the Java consumer`, async () => {
      const topic = `ours-${compression}`;
      await kafka.createTopic(topic);
      const made = shapes().map(({ key, value, headers, timestamp }) => ({
        timestamp: timestamp ?? -1,
        key: key === null || key === undefined ? null : Buffer.from(key),
        value: value === null ? null : Buffer.from(value),
        headers: encodeHeaders((headers ?? []) as [string, Buffer | null][]),
      }));
      assert.equal(await produce(topic, encodeBatch(made, { compression })), 0);
      assert.equal(
        await produce(topic, encodeBatch(made.slice(0, 1), { compression })),
        made.length,
      );
      const expected = [...made, ...made.slice(0, 1)].map((record, offset) =>
        asConsumed({ ...record, offset }),
      );
      assert.deepEqual(await kafka.consumeAll(topic), expected);
      assert.deepEqual((await readAll(topic)).records, expected);
    });
  }

  it("what was read is written again as it was", async () => {
    await kafka.createTopic("source");
    await kafka.createTopic("copy");
    await kafka.produce("source", shapes(), { codec: "snappy" });
    const { data } = await fetch("source", 0, 8 << 20);
    const { records } = decodeBatches(data, { fetchOffset: 0 });
    await produce("copy", encodeBatch(records));
    const source = await kafka.consumeAll("source");
    assert.deepEqual(await kafka.consumeAll("copy"), source.slice(0, records.length));
  });
});

// A fetch and a produce request by hand, so that this room is tested without the others.

async function request(apiKey: number, version: number, body: Buffer): Promise<Buffer> {
  const [host, port] = (kafka.brokers[0]?.address ?? "").split(":");
  const socket = connect(Number(port), host);
  await once(socket, "connect");
  const header = Buffer.concat([int16(apiKey), int16(version), int32(7), text("records-test")]);
  socket.write(Buffer.concat([int32(header.length + body.length), header, body]));
  let answer = Buffer.alloc(0);
  for await (const chunk of socket) {
    answer = Buffer.concat([answer, chunk as Buffer]);
    if (answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0)) break;
  }
  socket.destroy();
  return answer.subarray(8);
}

/** Fetch v4 (an older broker would not answer zstd to it), read committed, partition 0. */
async function fetch(
  topic: string,
  offset: number,
  maxBytes: number,
): Promise<{ data: Buffer; aborted: AbortedTransaction[] }> {
  const head = [int32(-1), int32(1_000), int32(1), int32(maxBytes), Buffer.from([1])];
  const body = [int32(1), text(topic), int32(1), int32(0), int64(BigInt(offset)), int32(maxBytes)];
  const answer = await request(1, 4, Buffer.concat([...head, ...body]));
  let at = 4 + 4 + 2 + topic.length + 4 + 4;
  assert.equal(answer.readInt16BE(at), 0, "the fetch's error code");
  at += 2 + 8 + 8;
  const count = answer.readInt32BE(at);
  at += 4;
  const aborted: AbortedTransaction[] = [];
  for (let i = 0; i < count; i++, at += 16) {
    const firstOffset = Number(answer.readBigInt64BE(at + 8));
    aborted.push({ producerId: answer.readBigInt64BE(at), firstOffset });
  }
  const size = answer.readInt32BE(at);
  return { data: answer.subarray(at + 4, at + 4 + size), aborted };
}

/** Produce v7 (the first that may carry zstd), acks=all, partition 0; resolves to the base offset. */
async function produce(topic: string, batch: Buffer): Promise<number> {
  const head = [int16(-1), int16(-1), int32(10_000), int32(1), text(topic), int32(1), int32(0)];
  const answer = await request(0, 7, Buffer.concat([...head, int32(batch.length), batch]));
  const at = 4 + 2 + topic.length + 4 + 4;
  assert.equal(answer.readInt16BE(at), 0, "the produce's error code");
  return Number(answer.readBigInt64BE(at + 2));
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}
