export { createOutput, type Output, type OutputStreams } from "./output.ts";
export { table } from "./table.ts";
