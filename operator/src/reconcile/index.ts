/** From what the cluster and its surroundings say to what they should be. */
export {
  Controller,
  type ControllerOptions,
  type ParentLogger,
  type ReconcileResult,
} from "./controller.ts";
