import type { OffsetRange, PresentedRecord, RecordRef } from "./frames.ts";
import { maxWordsBytes } from "./limits.ts";
import { malformed, type Reader } from "./reader.ts";
import { WireError } from "./wire-error.ts";
import { outOfRange, type Writer } from "./writer.ts";

/** How values of one kind stand in a frame. */
export interface Field<T> {
  /** Exact encoded size in bytes. */
  size(value: T): number;
  write(writer: Writer, value: T): void;
  read(reader: Reader): T;
}

function fixed<T>(
  bytes: number,
  write: (writer: Writer, value: T) => void,
  read: (reader: Reader) => T,
): Field<T> {
  return { size: () => bytes, write, read };
}

export const u16 = fixed<number>(
  2,
  (writer, value) => writer.u16(value),
  (reader) => reader.u16(),
);

export const u32 = fixed<number>(
  4,
  (writer, value) => writer.u32(value),
  (reader) => reader.u32(),
);

export const i32 = fixed<number>(
  4,
  (writer, value) => writer.i32(value),
  (reader) => reader.i32(),
);

/** A number given by one side for the other to echo: 0 stands for "none" and is refused. */
export const u32AboveZero = fixed<number>(
  4,
  (writer, value) => {
    if (value === 0) {
      throw outOfRange(value, "1 to 2^32-1");
    }
    writer.u32(value);
  },
  (reader) => {
    const value = reader.u32();
    if (value === 0) {
      throw malformed("an id is 0; allowed is 1 to 2^32-1");
    }
    return value;
  },
);

/** Whole milliseconds for the wire: clocks have fractions, and a lease may end while its frame is made. */
export function wholeMs(value: number): number {
  return value > 0 ? Math.min(Math.floor(value), 0xffff_ffff) : 0;
}

export const durationMs = fixed<number>(
  4,
  (writer, value) => writer.u32(wholeMs(value)),
  (reader) => reader.u32(),
);

/** A duration, or -1 for the receiver's own choice. */
export const optionalDurationMs = fixed<number>(
  4,
  (writer, value) => writer.i32(value < 0 ? -1 : Math.min(wholeMs(value), 0x7fff_ffff)),
  (reader) => Math.max(-1, reader.i32()),
);

export const partition = fixed<number>(
  4,
  (writer, value) => writer.u31(value),
  (reader) => readPartition(reader),
);

export const string: Field<string> = {
  size(value) {
    const bytes = Buffer.byteLength(value);
    if (bytes > 0xffff) {
      throw new WireError(
        "not-encodable",
        `A string of ${bytes} bytes can't be encoded: allowed are 65535. It starts with ${JSON.stringify(value.slice(0, 40))}.`,
      );
    }
    return 2 + bytes;
  },
  write: (writer, value) => writer.string(value),
  read: (reader) => reader.string(),
};

/** Words for people: cut rather than refused when too long. */
export const words: Field<string> = {
  size: (value) => string.size(cutWords(value)),
  write: (writer, value) => writer.string(cutWords(value)),
  read: (reader) => reader.string(),
};

/** The longest start of `text` that has at most `maxWordsBytes` and ends with a whole character. */
function cutWords(text: string): string {
  if (text.length * 3 <= maxWordsBytes || Buffer.byteLength(text) <= maxWordsBytes) {
    return text;
  }
  const bytes = Buffer.from(text.slice(0, maxWordsBytes));
  let end = maxWordsBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) {
    end--;
  }
  return bytes.toString("utf8", 0, end);
}

export const flag = choice([false, true]);

/** One byte: the place of the value in `values`; another one is `otherwise`, or malformed without it. */
export function choice<T>(values: readonly T[], otherwise?: T): Field<T> {
  return fixed<T>(
    1,
    (writer, value) => {
      const index = values.indexOf(value);
      if (index < 0) {
        throw new WireError(
          "not-encodable",
          `${String(value)} can't be encoded: allowed is one of ${values.join(", ")}.`,
        );
      }
      writer.u8(index);
    },
    (reader) => {
      const index = reader.u8();
      const value = index < values.length ? values[index] : otherwise;
      if (value === undefined) {
        throw malformed(`a choice has the value ${index}; allowed is 0 to ${values.length - 1}`);
      }
      return value;
    },
  );
}

interface ListItem<T> extends Field<T> {
  readonly minBytes: number;
}

/** A list whose items all have `itemBytes` bytes, behind a u32 count. */
function listOfFixed<T>(itemBytes: number, item: Field<T>): Field<readonly T[]> {
  return {
    size: (list) => 4 + list.length * itemBytes,
    write(writer, list) {
      writer.u32(list.length);
      for (const value of list) {
        item.write(writer, value);
      }
    },
    read: (reader) => readItems(reader, reader.u32(), { ...item, minBytes: itemBytes }),
  };
}

function readItems<T>(reader: Reader, count: number, item: ListItem<T>): T[] {
  reader.expectAtLeast(count, item.minBytes);
  const list: T[] = [];
  for (let i = 0; i < count; i++) {
    list.push(item.read(reader));
  }
  return list;
}

export const partitions = listOfFixed(4, partition);

export const strings: Field<readonly string[]> = {
  size: (list) => list.reduce((sum, value) => sum + string.size(value), 2),
  write(writer, list) {
    writer.u16(list.length);
    for (const value of list) {
      writer.string(value);
    }
  },
  read: (reader) => readItems(reader, reader.u16(), { ...string, minBytes: 2 }),
};

const rangeBytes = 20;
const refBytes = 16;

export const ranges = listOfFixed<OffsetRange>(
  rangeBytes,
  fixed(
    rangeBytes,
    (writer, range) => {
      writer.u31(range.partition);
      writer.u64(range.first);
      writer.u64(range.last);
      if (range.last < range.first) {
        throw outOfRange(range.last, `${range.first} (the first of its range) or more`);
      }
    },
    (reader) => {
      const partition = readPartition(reader);
      const first = reader.u64();
      const last = reader.u64();
      if (last < first) {
        throw malformed(`a range goes from ${first} to ${last}`);
      }
      return { partition, first, last };
    },
  ),
);

const recordRefItem = fixed<RecordRef>(
  refBytes,
  (writer, ref) => {
    writer.u31(ref.partition);
    writer.u64(ref.offset);
    writeAttempt(writer, ref.attempt);
  },
  (reader) => ({
    partition: readPartition(reader),
    offset: reader.u64(),
    attempt: readAttempt(reader),
  }),
);

export const recordRef: Field<RecordRef> = recordRefItem;
export const recordRefs = listOfFixed<RecordRef>(refBytes, recordRefItem);

const presentedState = choice<PresentedRecord["state"]>(["held", "acked"]);

export const presentedRecords = listOfFixed<PresentedRecord>(
  refBytes + 1,
  fixed(
    refBytes + 1,
    (writer, record) => {
      recordRefItem.write(writer, record);
      presentedState.write(writer, record.state);
    },
    (reader) => ({
      partition: readPartition(reader),
      offset: reader.u64(),
      attempt: readAttempt(reader),
      state: presentedState.read(reader),
    }),
  ),
);

export function readPartition(reader: Reader): number {
  const value = reader.i32();
  if (value < 0) {
    throw malformed(`a partition is ${value >>> 0}; allowed is 0 to 2^31-1`);
  }
  return value;
}

export function readAttempt(reader: Reader): number {
  const value = reader.u32();
  if (value === 0) {
    throw malformed("an attempt is 0; the first delivery is 1");
  }
  return value;
}

export function writeAttempt(writer: Writer, value: number): void {
  if (value === 0) {
    throw outOfRange(value, "1 to 2^32-1");
  }
  writer.u32(value);
}
