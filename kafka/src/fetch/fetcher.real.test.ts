import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { closeSync, globSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startKafka } from "../../../test/servers/index.ts";
import type { KafkaCluster } from "../../../test/servers/index.ts";
import { KafkaConnection } from "../connection/index.ts";
import { until } from "../connection/test-until.ts";
import type { KafkaError } from "../errors.ts";
import { decodeHeaders } from "../records/index.ts";
import { Fetcher } from "./fetcher.ts";
import type { FetchedBatch, FetcherOptions } from "./fetcher.ts";
import { readRecord } from "./read-record.ts";

let kafka: KafkaCluster;
const fetchers: Fetcher[] = [];

before(async () => {
  kafka = await startKafka({ brokers: 3 });
});

after(async () => {
  await Promise.all(fetchers.map(async (fetcher) => await fetcher.close()));
  await kafka.stop();
});

interface Reader {
  readonly fetcher: Fetcher;
  readonly batches: FetchedBatch[];
  readonly errors: KafkaError[];
  readonly ranges: [number, number, { earliest: number; latest: number }][];
  /** The values read of one partition, in the order they came. */
  readonly values: (partition: number) => string[];
}

function reader(topic: string, options: Partial<FetcherOptions> = {}): Reader {
  const batches: FetchedBatch[] = [];
  const errors: KafkaError[] = [];
  const ranges: Reader["ranges"] = [];
  const fetcher = new Fetcher({
    settings: { bootstrapServers: kafka.bootstrapServers, requestTimeoutMs: 2_000 },
    topic,
    maxWaitMs: 200,
    ...options,
    handlers: {
      batch: (batch) => batches.push(batch),
      outOfRange: (...range) => ranges.push(range),
      error: (error) => errors.push(error),
      ...options.handlers,
    },
  });
  fetchers.push(fetcher);
  fetcher.start();
  const values = (partition: number): string[] =>
    batches
      .filter((batch) => batch.partition === partition)
      .flatMap(({ records }) => records.map(({ value }) => String(value)));
  return { fetcher, batches, errors, ranges, values };
}

function numbered(
  from: number,
  to: number,
  partition: number,
): { partition: number; value: string }[] {
  return Array.from({ length: to - from }, (_, index) => ({
    partition,
    value: `v${from + index}`,
  }));
}

function names(from: number, to: number): string[] {
  return numbered(from, to, 0).map(({ value }) => value);
}

test("every partition in order from where it was told to start, what comes later too", async () => {
  await kafka.createTopic("plain", { partitions: 3 });
  for (const partition of [0, 1, 2]) await kafka.produce("plain", numbered(0, 50, partition));
  const { fetcher, batches, values } = reader("plain");
  fetcher.add(0, 0);
  fetcher.add(1, 20);
  fetcher.add(2, 50);
  await until("the first", () => values(0).length === 50 && values(1).length === 30);
  await kafka.produce("plain", numbered(50, 60, 2));
  await until("the later", () => values(2).length === 10);
  assert.deepEqual(values(0), names(0, 50));
  assert.deepEqual(values(1), names(20, 50));
  assert.deepEqual(values(2), names(50, 60));
  assert.equal(fetcher.position(2), 60);
  const last = batches.at(-1)!;
  assert.deepEqual(
    [last.nextOffset, last.highWatermark, last.lastStableOffset, last.logStartOffset],
    [60, 60, 60, 0],
  );
  await fetcher.close();
});

test("keys, headers and timestamps byte for byte, in every codec", async () => {
  await kafka.createTopic("codecs");
  const headers: [string, Buffer | null][] = [
    ["twice", Buffer.from([0xff, 0x00])],
    ["twice", null],
    ["", Buffer.alloc(0)],
  ];
  const codecs = ["none", "gzip", "snappy", "lz4", "zstd"] as const;
  for (const codec of codecs) {
    const record = { key: codec, value: "x".repeat(1_000), headers, timestamp: 1_600_000_000_123 };
    await kafka.produce("codecs", [record, { ...record, key: null, value: null }], { codec });
  }
  const { fetcher, batches } = reader("codecs");
  fetcher.add(0, 0);
  await until("all codecs", () => fetcher.position(0) === 10);
  const records = batches.flatMap((batch) => batch.records);
  assert.deepEqual(
    records.map(({ key }) => key?.toString() ?? null),
    codecs.flatMap((codec) => [codec, null]),
  );
  for (const record of records) {
    assert.equal(record.timestamp, 1_600_000_000_123);
    assert.deepEqual(decodeHeaders(record.headers), headers);
  }
  await fetcher.close();
});

test("aborted records never come, and the position crosses them and control batches", async () => {
  await kafka.createTopic("transactions");
  await kafka.produce("transactions", numbered(0, 3, 0), { transaction: "abort" });
  await kafka.produce("transactions", numbered(3, 5, 0), { transaction: "commit" });
  await kafka.produce("transactions", numbered(5, 9, 0), { transaction: "abort" });
  const { fetcher, values } = reader("transactions");
  fetcher.add(0, 0);
  // Nine records, and after each transaction the marker of its end.
  await until("the end", () => fetcher.position(0) === 12);
  assert.deepEqual(values(0), ["v3", "v4"]);
  await fetcher.close();
});

test("a paused partition loses nothing, and the others go on", async () => {
  await kafka.createTopic("paused", { partitions: 2 });
  // A batch each: an answer ends in the middle of the partition.
  for (let from = 0; from < 100; from += 20) {
    await kafka.produce("paused", [
      ...numbered(from, from + 20, 0),
      ...numbered(from, from + 20, 1),
    ]);
  }
  let pausing = true;
  const { fetcher, values, batches } = reader("paused", {
    maxBytesPerPartition: 300,
    handlers: {
      batch: (batch) => {
        batches.push(batch);
        if (batch.partition === 0 && pausing) fetcher.pause(0);
      },
      outOfRange: () => assert.fail("not out of range"),
    },
  });
  fetcher.add(0, 0);
  fetcher.add(1, 0);
  await until("paused, and the other goes on", () => {
    return values(0).length > 0 && values(1).length === 100;
  });
  const at = fetcher.position(0) ?? 100;
  assert.ok(at < 100, "paused in the middle");
  await kafka.produce("paused", numbered(100, 101, 1));
  await until("still", () => values(1).length === 101);
  assert.equal(fetcher.position(0), at);
  pausing = false;
  fetcher.resume(0);
  await until("all of it", () => values(0).length === 100);
  assert.deepEqual(values(0), names(0, 100));
  await fetcher.close();
});

test("nothing is handed out after remove, and add starts where it says", async () => {
  await kafka.createTopic("removed");
  await kafka.produce("removed", numbered(0, 10, 0));
  const { fetcher, values, batches } = reader("removed");
  fetcher.add(0, 0);
  await until("ten", () => values(0).length === 10);
  fetcher.remove(0);
  assert.equal(fetcher.position(0), undefined);
  await kafka.produce("removed", numbered(10, 20, 0));
  const { fetcher: other, values: others } = reader("removed");
  other.add(0, 10);
  await until("another reader has them", () => others(0).length === 10);
  assert.equal(values(0).length, 10);
  batches.length = 0;
  fetcher.add(0, 5);
  await until("again from 5", () => values(0).length === 15);
  assert.deepEqual(values(0), names(5, 20));
  await Promise.all([fetcher.close(), other.close()]);
});

test("out of range, below and above: told with the range, stopped until add", async () => {
  await kafka.createTopic("ranges", { partitions: 2 });
  await kafka.produce("ranges", [...numbered(0, 10, 0), ...numbered(0, 10, 1)]);
  await kafka.deleteRecords("ranges", 0, 4);
  const { fetcher, ranges, values } = reader("ranges");
  fetcher.add(0, 1);
  fetcher.add(1, 99);
  await until("both", () => ranges.length === 2);
  assert.deepEqual(
    ranges.sort(([a], [b]) => a - b),
    [
      [0, 1, { earliest: 4, latest: 10 }],
      [1, 99, { earliest: 0, latest: 10 }],
    ],
  );
  assert.equal(fetcher.position(0), undefined);
  fetcher.add(0, 4);
  await until("from the start", () => values(0).length === 6);
  await fetcher.close();
});

test("a record larger than every limit still comes", async () => {
  await kafka.createTopic("large", { partitions: 2 });
  const value = "y".repeat(900_000);
  await kafka.produce("large", [
    { partition: 0, value },
    { partition: 1, value },
  ]);
  const { fetcher, values } = reader("large", { maxBytes: 1_000, maxBytesPerPartition: 100 });
  fetcher.add(0, 0);
  fetcher.add(1, 0);
  await until("both", () => values(0).length === 1 && values(1).length === 1);
  assert.equal(values(0)[0], value);
  await fetcher.close();
});

test("a compressed answer is handed out in pieces: about maxBytes over all partitions and a batch each", async () => {
  await kafka.createTopic("dense", { partitions: 4, config: { "compression.type": "zstd" } });
  await kafka.fill("dense", { count: 200, valueBytes: 200_000 });
  const most = new Map<number, number>();
  const { fetcher, batches } = reader("dense", { maxBytes: 2_000_000 });
  for (const partition of [0, 1, 2, 3]) fetcher.add(partition, 0);
  await until(
    "all of them",
    () => batches.reduce((n, { records }) => n + records.length, 0) === 200,
  );
  for (const { partition, bytes, records } of batches) {
    most.set(partition, Math.max(most.get(partition) ?? 0, bytes));
    assert.ok(records.length > 0, "an empty piece");
  }
  // A record is more than half of a batch here: two do not fit in one of the producer's.
  for (const bytes of most.values()) assert.ok(bytes <= 500_000 + 2 * 200_100, `${bytes} bytes`);
  for (const partition of most.keys()) {
    const offsets = batches
      .filter((batch) => batch.partition === partition)
      .flatMap(({ records }) => records.map(({ offset }) => offset));
    assert.deepEqual(
      offsets,
      Array.from({ length: 50 }, (_, offset) => offset),
    );
  }
  await fetcher.close();
});

test("a corrupt batch is said, with its place, and never skipped", async () => {
  const topic = `corrupt-${randomUUID()}`;
  await kafka.createTopic(topic);
  await kafka.produce(topic, numbered(0, 3, 0));
  await kafka.produce(topic, numbered(3, 6, 0));
  const root = fileURLToPath(new URL("../../../.cache/run", import.meta.url));
  const logs = globSync(`*/**/${topic}-0/*.log`, { cwd: root }).map((path) => join(root, path));
  assert.equal(logs.length, 3, "the log of each replica");
  const at = readFileSync(logs[0]!).indexOf("v4");
  assert.ok(at > 0);
  const flip = (): void => {
    for (const path of logs) {
      const bytes = readFileSync(path);
      const file = openSync(path, "r+");
      writeSync(file, Buffer.from([bytes[at]! ^ 0x01]), 0, 1, at);
      closeSync(file);
    }
  };
  flip();
  const { fetcher, values, errors } = reader(topic);
  fetcher.add(0, 0);
  await until("it is said twice", () => errors.length >= 2);
  assert.equal(errors[0]?.code, "corrupt-batch");
  assert.match(errors[0]?.message ?? "", /offset 3/);
  assert.ok((fetcher.position(0) ?? 9) <= 3);
  flip();
  await until("mended", () => values(0).length === 6);
  assert.deepEqual(values(0), names(0, 6));
  await fetcher.close();
});

test("a handler that throws gets the batch again", async () => {
  await kafka.createTopic("thrown");
  await kafka.produce("thrown", numbered(0, 3, 0));
  const offsets: number[] = [];
  const { fetcher, errors } = reader("thrown", {
    handlers: {
      batch: ({ records }) => {
        offsets.push(...records.map(({ offset }) => offset));
        if (offsets.length === 3) throw new Error("not now");
      },
      outOfRange: () => assert.fail("not out of range"),
      error: (error) => errors.push(error),
    },
  });
  fetcher.add(0, 0);
  await until("again", () => offsets.length === 6);
  assert.deepEqual(offsets, [0, 1, 2, 0, 1, 2]);
  assert.equal(fetcher.position(0), 3);
  await fetcher.close();
});

test("a topic that is not there yet is waited for, and said", async () => {
  const { fetcher, values, errors } = reader("later");
  fetcher.add(0, 0);
  await until("it is said", () => errors.some(({ code }) => code === "topic-not-found"));
  await kafka.createTopic("later");
  await kafka.produce("later", numbered(0, 3, 0));
  await until("it comes", () => values(0).length === 3);
  await fetcher.close();
});

test("one record is read back by its offset, also out of the middle of a batch", async () => {
  await kafka.createTopic("single");
  await kafka.produce("single", numbered(0, 10, 0), { codec: "zstd" });
  await kafka.deleteRecords("single", 0, 2);
  const connection = new KafkaConnection({ bootstrapServers: kafka.bootstrapServers });
  const read = async (offset: number): Promise<string | undefined> =>
    (await readRecord(connection, "single", 0, offset))?.value?.toString();
  assert.equal(await read(7), "v7");
  assert.equal(await read(1), undefined, "removed");
  assert.equal(await read(10), undefined, "not written yet");
  assert.equal(await read(99), undefined, "beyond the end");
  await connection.close();
});

test("leaders die and freeze: every record comes once, in order", {
  timeout: 180_000,
}, async () => {
  await kafka.createTopic("failover", { partitions: 6 });
  const { fetcher, values, batches } = reader("failover");
  for (let partition = 0; partition < 6; partition += 1) fetcher.add(partition, 0);
  const [first, second] = kafka.brokers;
  let next = 0;
  const produceTo = async (upTo: number): Promise<void> => {
    for (let partition = 0; partition < 6; partition += 1) {
      await kafka.produce("failover", numbered(next, upTo, partition));
    }
    next = upTo;
  };
  const caughtUp = (): boolean =>
    [0, 1, 2, 3, 4, 5].every((partition) => values(partition).length >= next);
  await produceTo(20);
  await until("before", caughtUp);
  await first!.kill();
  await produceTo(40);
  await until("with one dead", caughtUp);
  await first!.start();
  second!.freeze();
  await produceTo(60);
  await until("with one frozen", caughtUp);
  second!.thaw();
  await produceTo(80);
  await until("all back", caughtUp);
  for (let partition = 0; partition < 6; partition += 1) {
    assert.deepEqual(values(partition), names(0, 80));
  }
  assert.ok(batches.length > 0);
  await fetcher.close();
});
