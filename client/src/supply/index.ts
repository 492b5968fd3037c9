/** How much to ask of which proxy. */
export { PullSupply } from "./pull-supply.ts";
export { PushSupply } from "./push-supply.ts";
export type { Source, Supply, Taker } from "./supply.ts";
