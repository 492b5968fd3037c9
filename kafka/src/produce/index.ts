export { Producer } from "./producer.ts";
export type { RecordToProduce } from "./producer.ts";
