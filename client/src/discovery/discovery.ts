import type { ProxyAddress } from "../link/index.ts";

/** Where the proxies are. */
export interface Discovery {
  /**
   * Calls `listener` with the whole set as soon as it is known and after every change. An outage of
   * the registry changes nothing. `stamp` differs when a proxy of the same name and address is a new process.
   */
  start(listener: (proxies: readonly DiscoveredProxy[]) => void): void;
  close(): Promise<void>;
}

export interface DiscoveredProxy extends ProxyAddress {
  readonly stamp: string;
}
