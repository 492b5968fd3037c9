import { channel } from "node:diagnostics_channel";
import type { SourceRecord } from "../dispatch/index.ts";

/**
 * Name of the diagnostics channel on which a proxy's source tells of each batch that a fetch handed to it,
 * before anything else happens to it: for measurements, in the proxy's process. Costs nothing while nobody
 * subscribes.
 */
export const fetchedChannel = "kafkaproxy:source:fetched";

/** What is published there. The bytes are good until the subscriber returns: copy what is kept, change nothing. */
export interface FetchedMessage {
  readonly partition: number;
  readonly records: readonly SourceRecord[];
}

const fetched = channel(fetchedChannel);

export function publishFetched(message: FetchedMessage): void {
  if (fetched.hasSubscribers) fetched.publish(message);
}
