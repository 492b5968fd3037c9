import { deliveryBytes, minDeliveryBytes, readDelivery, writeDelivery } from "./delivery.ts";
import type { Field } from "./fields.ts";
import type { Deliver, Delivery } from "./frames.ts";
import { outOfRange, type Writer } from "./writer.ts";

/**
 * What a deliver takes besides its records, counted as `maxFrameBytes` counts (type, requestId, count).
 * A list of records fits in a frame when the sum of their `deliveryBytes` and this is at most `maxFrameBytes`.
 */
export const deliverOverheadBytes = 7;

export function writeDeliverHead(writer: Writer, { requestId, records }: Deliver): void {
  writer.u32(requestId);
  writer.u16(records.length);
}

export const deliver: Field<Deliver> = {
  size(frame) {
    if (frame.records.length > 0xffff) {
      throw outOfRange(frame.records.length, "0 to 2^16-1 (records of a deliver)");
    }
    let size = deliverOverheadBytes - 1;
    for (const record of frame.records) {
      size += deliveryBytes(record);
    }
    return size;
  },
  write(writer, frame) {
    writeDeliverHead(writer, frame);
    for (const record of frame.records) {
      writeDelivery(writer, record, (to, bytes) => to.raw(bytes));
    }
  },
  read(reader) {
    const requestId = reader.u32();
    const count = reader.u16();
    reader.expectAtLeast(count, minDeliveryBytes);
    const records: Delivery[] = [];
    for (let i = 0; i < count; i++) {
      records.push(readDelivery(reader));
    }
    return { type: "deliver", requestId, records };
  },
};
