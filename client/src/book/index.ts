/** What this client holds and has acked, over all proxies. */
export { Book, type BookEvents } from "./book.ts";
export { Hold, type LossReason, lossReasons } from "./hold.ts";
export type { Outlet, Sink } from "./outlet.ts";
