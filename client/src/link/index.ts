/** One session with one proxy, kept over lost connections. */
export { type Address } from "./connection.ts";
export { Link, type LinkOwner, type LinkState, linkStates, type ProxyAddress } from "./link.ts";
