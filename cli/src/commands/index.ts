/** What the command line can do; program.ts gives each its name and options. */
export { showDeadLetter } from "./dlq.ts";
export { operate, type OperatorArguments } from "./operator.ts";
export { serve } from "./serve.ts";
export { showStatus } from "./status.ts";
export { resolveTarget, type TargetOptions } from "./target.ts";
export { up } from "./up.ts";
export { work } from "./work.ts";
