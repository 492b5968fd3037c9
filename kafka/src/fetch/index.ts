export { Fetcher } from "./fetcher.ts";
export type { FetchedBatch, FetcherHandlers, FetcherOptions } from "./fetcher.ts";
export { readRecord } from "./read-record.ts";
