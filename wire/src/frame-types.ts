import type { ErrorCode, Frame, FrameType, Hello } from "./frames.ts";
import { cancelReasons, errorCodes } from "./frames.ts";
import { deliver } from "./deliver.ts";
import {
  choice,
  durationMs,
  type Field,
  flag,
  i32,
  optionalDurationMs,
  partitions,
  presentedRecords,
  ranges,
  recordRef,
  recordRefs,
  string,
  strings,
  u16,
  u32,
  u32AboveZero,
  words,
} from "./fields.ts";
import { helloMagic } from "./protocol.ts";
import type { Reader } from "./reader.ts";
import { WireError } from "./wire-error.ts";
import type { Writer } from "./writer.ts";

/** The bit of a frame's type byte that forbids a receiver who doesn't know the type to skip the frame. */
export const criticalBit = 0x80;

type FrameOf<T extends FrameType> = Extract<Frame, { type: T }>;

/** A frame's type byte and fields. */
export interface FrameLayout<F extends Frame = Frame> {
  readonly typeByte: number;
  readonly body: Field<F>;
}

type BodyFields<F extends Frame> = { readonly [K in Exclude<keyof F, "type">]: Field<F[K]> };

/** A frame whose fields stand one after the other, in the order they are written here. */
function layout<T extends FrameType>(
  type: T,
  typeByte: number,
  fields: BodyFields<FrameOf<T>>,
): FrameLayout<FrameOf<T>> {
  const entries = Object.entries(fields) as [string, Field<unknown>][];
  const body: Field<Record<string, unknown>> = {
    size(frame) {
      let size = 0;
      for (const [name, field] of entries) {
        size += field.size(frame[name]);
      }
      return size;
    },
    write(writer: Writer, frame) {
      for (const [name, field] of entries) {
        field.write(writer, frame[name]);
      }
    },
    read(reader: Reader) {
      const frame: Record<string, unknown> = { type };
      for (const [name, field] of entries) {
        frame[name] = field.read(reader);
      }
      return frame;
    },
  };
  // `fields` has exactly the keys of the frame, so what `read` makes is one.
  return { typeByte, body: body as unknown as Field<FrameOf<T>> };
}

/** One byte; a code of a later version reads as `internal`, and its words still say what is wrong. */
const errorCode = choice<ErrorCode>(errorCodes, "internal");

/** As `stale`: whatever the reason of a later version is, the record is no longer held. */
const cancelReason = choice(cancelReasons, "stale");

const limits: Field<FrameOf<"welcome">["limits"]> = (() => {
  const names = [
    "ackTimeoutMs",
    "maxProcessingTimeMs",
    "maxPullMessages",
    "maxPullBytes",
    "maxFrameBytes",
    "heartbeatIntervalMs",
  ] as const;
  return {
    size: () => names.length * 4,
    write(writer, value) {
      for (const name of names) {
        writer.u32(value[name]);
      }
    },
    read: (reader) => ({
      ackTimeoutMs: reader.u32(),
      maxProcessingTimeMs: reader.u32(),
      maxPullMessages: reader.u32(),
      maxPullBytes: reader.u32(),
      maxFrameBytes: reader.u32(),
      heartbeatIntervalMs: reader.u32(),
    }),
  };
})();

const hello = behindMagic(
  layout("hello", 0x81, {
    minProtocol: u16,
    maxProtocol: u16,
    features: strings,
    sessionId: string,
    token: string,
    namespace: string,
    topic: string,
    consumerGroup: string,
    mode: choice(["pull", "push"]),
    clientName: string,
  }),
);

function behindMagic({ typeByte, body }: FrameLayout<Hello>): FrameLayout<Hello> {
  return {
    typeByte,
    body: {
      size: (frame) => 4 + body.size(frame),
      write(writer, frame) {
        writer.u32(helloMagic);
        body.write(writer, frame);
      },
      read(reader) {
        const magic = reader.u32();
        if (magic !== helloMagic) {
          throw new WireError(
            "not-a-client",
            `The first frame starts with 0x${magic.toString(16).padStart(8, "0")} instead of "KPX1": the peer is no kafka-proxy client.`,
          );
        }
        return body.read(reader);
      },
    },
  };
}

/** Every frame of this version. All have the critical bit: none of them may be ignored. */
export const frameLayouts: { readonly [T in FrameType]: FrameLayout<FrameOf<T>> } = {
  hello,
  welcome: layout("welcome", 0x82, {
    protocol: u16,
    features: strings,
    sessionId: string,
    resumed: flag,
    instance: string,
    limits,
  }),
  owned: layout("owned", 0x83, { partitions, generation: u32 }),
  pull: layout("pull", 0x84, {
    requestId: u32AboveZero,
    maxMessages: u32,
    maxBytes: u32,
    waitMs: durationMs,
    wait: choice(["claim", "offer"]),
    offerId: u32,
  }),
  available: layout("available", 0x85, { offerId: u32AboveZero, count: u32 }),
  deliver: { typeByte: 0x86, body: deliver },
  ack: layout("ack", 0x87, { ranges }),
  settled: layout("settled", 0x88, { ranges }),
  nack: layout("nack", 0x89, { record: recordRef, delayMs: optionalDurationMs, reason: words }),
  reject: layout("reject", 0x8a, { record: recordRef, reason: words }),
  extend: layout("extend", 0x8b, { all: flag, except: ranges, records: recordRefs }),
  release: layout("release", 0x8c, { records: recordRefs }),
  present: layout("present", 0x8d, { leaseMs: durationMs, records: presentedRecords }),
  credit: layout("credit", 0x8e, { requestId: u32, delta: i32 }),
  cancel: layout("cancel", 0x8f, { reason: cancelReason, records: recordRefs }),
  ping: layout("ping", 0x90, { nonce: u32 }),
  pong: layout("pong", 0x91, { nonce: u32 }),
  goaway: layout("goaway", 0x92, { graceMs: durationMs, reason: words }),
  error: layout("error", 0x93, { code: errorCode, message: words, records: recordRefs }),
};

/** By type byte; undefined where this version has no such frame. */
export const layoutByTypeByte: readonly (FrameLayout | undefined)[] = (() => {
  const table: (FrameLayout | undefined)[] = Array.from({ length: 256 });
  for (const entry of Object.values(frameLayouts)) {
    table[entry.typeByte] = entry;
  }
  return table;
})();
