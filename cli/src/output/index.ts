export {
  createOutput,
  type Output,
  type OutputStream,
  type OutputStreams,
  printable,
} from "./output.ts";
export { table } from "./table.ts";
