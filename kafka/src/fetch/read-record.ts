import type { KafkaConnection } from "../connection/index.ts";
import { KafkaError } from "../errors.ts";
import { onLeader } from "../offsets/index.ts";
import { decodeBatches } from "../records/index.ts";
import type { KafkaRecord } from "../records/index.ts";
import { fetchMessage } from "./protocol.ts";

const offsetOutOfRange = 1;
/** A batch is answered whole, however large: this only keeps more than one from coming along. */
const maxBytes = 1;
const maxWaitMs = 0;

/**
 * The record at one offset, its bytes its own. Undefined when there is none: removed by retention or
 * compaction, not written yet, or of an aborted transaction.
 */
export async function readRecord(
  connection: KafkaConnection,
  topic: string,
  partition: number,
  offset: number,
): Promise<KafkaRecord | undefined> {
  const fetched = await onLeader(connection, topic, partition, async (leader) => {
    const answer = await connection.send(
      leader,
      fetchMessage({
        topic,
        maxWaitMs,
        maxBytes,
        maxBytesPerPartition: maxBytes,
        partitions: [{ partition, offset }],
      }),
      { lane: "fetch-0" },
    );
    const found = answer.partitions.find((one) => one.partition === partition);
    const errorCode = found?.errorCode ?? answer.errorCode;
    if (errorCode !== 0 && errorCode !== offsetOutOfRange) {
      throw KafkaError.fromProtocol(errorCode, `reading ${topic}:${partition}:${offset}`);
    }
    return found;
  });
  if (fetched === undefined || fetched.errorCode === offsetOutOfRange) return undefined;
  const { records } = decodeBatches(fetched.records, {
    fetchOffset: offset,
    abortedTransactions: fetched.abortedTransactions,
  });
  const record = records.find((one) => one.offset === offset);
  if (record === undefined) return undefined;
  return {
    ...record,
    key: record.key === null ? null : Buffer.from(record.key),
    value: record.value === null ? null : Buffer.from(record.value),
    headers: Buffer.from(record.headers),
  };
}
