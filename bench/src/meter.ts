/** What a consuming process measures, the same code for both sides. */

/** Milliseconds on the host's monotonic clock, which all processes share. */
export function hostClockMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A throughput mark is taken once every so many records. */
export const markEvery = 1000;

/** Sent to the bench ten times a second; `values` holds what is new since the last one. */
export interface MeterReport {
  /** Records handled so far. */
  readonly count: number;
  /** Throughput: the times of marks. Latency: ms from produce to handler. */
  readonly values: readonly number[];
}

export type Measure = "throughput" | "latency";

export interface Meter {
  /** At the start of a record's handler. */
  take(value: Uint8Array | null): void;
  report(): MeterReport;
}

export function createMeter(measure: Measure): Meter {
  let count = 0;
  let values: number[] = [];
  const mark = () => {
    count += 1;
    if (count % markEvery === 0) values.push(hostClockMs());
  };
  const compare = (value: Uint8Array | null) => {
    const now = hostClockMs();
    count += 1;
    const sentAt = value === null ? 0 : readStamp(value);
    if (sentAt > 0) values.push(now - sentAt);
  };
  return {
    take: measure === "latency" ? compare : mark,
    report() {
      const found = { count, values };
      values = [];
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
