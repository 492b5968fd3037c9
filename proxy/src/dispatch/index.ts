/** The ready queue, leases, redelivery, workers' demand and what is committed. Pure: time and randomness are passed in. */
export { Dispatch } from "./dispatch.ts";
export * from "./types.ts";
