/** What a consuming process measures, the same code for both sides. */

/** Milliseconds on the host's monotonic clock, which all processes share. */
export function hostClockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A throughput mark is taken once every so many records. */
export const markEvery = 1000;

/** A record's place in the topic, and when it was seen there. */
export interface Stamp {
  readonly partition: number;
  readonly offset: number;
  readonly atMs: number;
}

/** Sent to the bench ten times a second; `values` and `stamps` hold what is new since the last one. */
export interface MeterReport {
  /** Records seen so far. */
  readonly count: number;
  /** Throughput: the times of marks. Latency: ms from produce to here. */
  readonly values: readonly number[];
  /** Latency, of records taken with their place: when each was here. */
  readonly stamps: readonly Stamp[];
}

export type Measure = "throughput" | "latency";

export interface Meter {
  /** At the start of a record's handler, or where else it is measured. */
  take(value: Uint8Array | null, place?: Omit<Stamp, "atMs">): void;
  report(): MeterReport;
}

export function createMeter(measure: Measure): Meter {
  let count = 0;
  let values: number[] = [];
  let stamps: Stamp[] = [];
  const mark = () => {
    count += 1;
    if (count % markEvery === 0) values.push(hostClockMs());
  };
  const compare: Meter["take"] = (value, place) => {
    const atMs = hostClockMs();
    count += 1;
    const sentAt = value === null ? 0 : readStamp(value);
    if (sentAt <= 0) return;
    values.push(atMs - sentAt);
    if (place !== undefined) {
      stamps.push({ partition: place.partition, offset: place.offset, atMs });
    }
  };
  return {
    take: measure === "latency" ? compare : mark,
    report() {
      const found = { count, values, stamps };
      values = [];
      stamps = [];
      return found;
    },
  };
}

/** Writes the time of sending into a value; 0 marks a record of the warm-up. */
export function writeStamp(value: Buffer, sentAtMs: number): void {
  value.writeDoubleBE(sentAtMs, 0);
}

function readStamp(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset, value.byteLength).getFloat64(0);
}
