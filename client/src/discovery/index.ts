/** Finds the proxies of a group. */
export type { DiscoveredProxy, Discovery } from "./discovery.ts";
export { fixedDiscovery } from "./fixed.ts";
export { registryDiscovery } from "./registry.ts";
