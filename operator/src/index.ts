/** The control plane: from KafkaProxy resources to proxies that run. */
export {
  type ElectionSettings,
  Operator,
  type OperatorOptions,
  type OperatorState,
  operatorStates,
} from "./operator.ts";
export { type OperatorExitCode, runOperator, type RunOperatorOptions } from "./run-operator.ts";
export { KubeError, type KubeErrorCode, kubeErrorCodes } from "./runtime/index.ts";
